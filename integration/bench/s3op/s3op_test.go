package s3op

import (
	"context"
	"errors"
	"testing"

	"tote/integration/bench/fsop"
	"tote/objstore/s3store/s3test"
)

func client(t *testing.T) *Client {
	t.Helper()
	g := s3test.Start(t)
	c := New(Server{Endpoint: g.Endpoint, Region: g.Region, AccessKey: g.AccessKey, SecretKey: g.SecretKey, Bucket: "bench"}, 5<<20, 3)
	t.Cleanup(c.Close)
	if err := c.MakeBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTransfer(t *testing.T) {
	ctx, c := t.Context(), client(t)
	const n = 12
	if _, err := c.Upload(ctx, "d/big", fsop.NewPattern(1), n); err != nil {
		t.Fatal(err)
	}
	if size, etag, err := c.Look(ctx, "d/big"); err != nil || size != n*fsop.Block || etag == "" {
		t.Errorf("Look: %d bytes, ETag %s, %v", size, etag, err)
	}
	if _, size, err := c.Download(ctx, "d/big"); err != nil || size != n*fsop.Block {
		t.Errorf("Download: %d bytes, %v", size, err)
	}
	if size, _, err := c.Look(ctx, "d/none"); err != nil || size != -1 {
		t.Errorf("Look at nothing: %d, %v", size, err)
	}
}

func TestMany(t *testing.T) {
	ctx, c := t.Context(), client(t)
	if _, err := c.PutMany(ctx, "many", 20, 100, 4); err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int64]int{100: 20, 99: 0} {
		if n, err := c.Count(ctx, "many/", size); err != nil || n != want {
			t.Errorf("%d objects of %d bytes, %v", n, size, err)
		}
	}
	if err := c.RemoveAll(ctx, "many/"); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Count(ctx, "many/", 100); err != nil || n != 0 {
		t.Errorf("%d objects are left, %v", n, err)
	}
}

func TestUntil(t *testing.T) {
	tries := 0
	if err := Until(t.Context(), func() (bool, error) { tries++; return tries == 3, nil }); err != nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
	broken := errors.New("broken")
	if err := Until(t.Context(), func() (bool, error) { return false, broken }); err != broken {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Until(ctx, func() (bool, error) { return false, nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
