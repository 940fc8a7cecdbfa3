package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tote/objstore"
)

var errReader = errors.New("reader broke")

// pattern makes n bytes that differ from seed to seed and have no period.
func pattern(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	data := make([]byte, n)
	_, _ = r.Read(data) // never fails
	return data
}

func put(t testing.TB, s objstore.Store, key string, data []byte) objstore.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)))
	noErr(t, err)
	return info
}

func get(t testing.TB, s objstore.Store, key string, off, n int64) []byte {
	t.Helper()
	body, err := s.Get(t.Context(), key, off, n)
	noErr(t, err)
	data, err := io.ReadAll(body)
	noErr(t, err)
	noErr(t, body.Close())
	return data
}

// holds checks an object's bytes and that Stat agrees with them.
func holds(t testing.TB, s objstore.Store, key string, want []byte) {
	t.Helper()
	if got := get(t, s, key, 0, -1); !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes %.20x, want %d bytes %.20x", key, len(got), got, len(want), want)
	}
	info, err := s.Stat(t.Context(), key)
	noErr(t, err)
	if info.Key != key || info.Size != int64(len(want)) {
		t.Errorf("stat of %s says %q, %d bytes, want %d", key, info.Key, info.Size, len(want))
	}
}

// absent checks that an object is neither found nor listed.
func absent(t testing.TB, s objstore.Store, key string) {
	t.Helper()
	_, err := s.Stat(t.Context(), key)
	isErr(t, err, objstore.ErrNotFound)
	_, err = s.Get(t.Context(), key, 0, -1)
	isErr(t, err, objstore.ErrNotFound)
	if slices.Contains(keys(t, s, key, ""), key) {
		t.Errorf("%s is listed", key)
	}
}

func keys(t testing.TB, s objstore.Store, prefix, after string) []string {
	t.Helper()
	got := []string{}
	for info, err := range s.List(t.Context(), prefix, after) {
		noErr(t, err)
		got = append(got, info.Key)
	}
	return got
}

func upload(t testing.TB, s objstore.Store, key string) objstore.Upload {
	t.Helper()
	u, err := s.NewUpload(t.Context(), key)
	noErr(t, err)
	return u
}

func part(t testing.TB, u objstore.Upload, number int, data []byte) objstore.Part {
	t.Helper()
	p, err := u.Part(t.Context(), number, bytes.NewReader(data), int64(len(data)))
	noErr(t, err)
	if p.Number != number || p.Size != int64(len(data)) {
		t.Fatalf("part %d of %d bytes came back as %+v", number, len(data), p)
	}
	return p
}

func complete(t testing.TB, u objstore.Upload, parts ...objstore.Part) objstore.Info {
	t.Helper()
	info, err := u.Complete(t.Context(), parts)
	noErr(t, err)
	return info
}

// fit makes data long enough for a part before the last one.
func fit(s objstore.Store, data []byte) []byte {
	short := objstore.LimitsOf(s).MinPart - int64(len(data))
	return append(slices.Clip(data), make([]byte, max(0, short))...)
}

// fitting leaves out the keys that can't be beside others where keys are files in directories.
func fitting(s objstore.Store, all []string) []string {
	limits := objstore.LimitsOf(s)
	var fit []string
	for _, key := range all {
		conflict := func(other string) bool {
			return strings.HasPrefix(key, other+"/") || strings.HasPrefix(other, key+"/")
		}
		if len(key) <= limits.MaxKey && (!limits.TreeKeys || !slices.ContainsFunc(fit, conflict)) {
			fit = append(fit, key)
		}
	}
	return fit
}

// ability finds an ability that runAbility has seen.
func ability[T any](t testing.TB, s objstore.Store) T {
	t.Helper()
	a, ok := objstore.As[T](s)
	if !ok {
		t.Fatalf("the store has lost its ability %T", a)
	}
	return a
}

// localFile makes a synced file near where a data directory would be.
func localFile(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "staged")
	noErr(t, os.WriteFile(path, data, 0o600))
	return path
}

func collect[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		noErr(t, err)
		all = append(all, v)
	}
	return all
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// sameInfo compares what two calls said about one object. The time that Put answers may be off a little, because
// stores on the network tell it only when they are asked again.
func sameInfo(t testing.TB, got, want objstore.Info) {
	t.Helper()
	off := got.Modified.Sub(want.Modified).Abs()
	if got.Key != want.Key || got.Size != want.Size || got.ETag != want.ETag || off > 3*time.Second {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func cancelled(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// cancelling cancels a context once n bytes were read from it, and then gives more.
type cancelling struct {
	cancel context.CancelFunc
	n      int
}

func (c *cancelling) Read(p []byte) (int, error) {
	if c.n -= len(p); c.n <= 0 {
		c.cancel()
	}
	clear(p)
	return len(p), nil
}
