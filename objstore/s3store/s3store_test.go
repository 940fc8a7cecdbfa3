package s3store_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"log/slog"
	mrand "math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore"
	"tote/objstore/s3store"
	"tote/objstore/s3store/s3proxy"
	"tote/objstore/s3store/s3test"
	"tote/objstore/storetest"
)

// options are those of a prefix on a gateway.
func options(t testing.TB, g *s3test.Gateway, prefix string) s3store.Options {
	t.Helper()
	opts, err := s3store.ParseURL(g.URL(prefix))
	if err != nil {
		t.Fatal(err)
	}
	opts.Credentials = g.Credentials()
	opts.Logger = slog.New(slog.DiscardHandler)
	return opts
}

func open(t testing.TB, opts s3store.Options) *s3store.Store {
	t.Helper()
	s, err := s3store.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	g := s3test.Start(t)
	storetest.Run(t, func(t testing.TB) objstore.Store {
		return open(t, options(t, g, "p-"+rand.Text()[:8]+"/ü"))
	})
}

func TestStore_At(t *testing.T) {
	g := s3test.Start(t)
	s := open(t, options(t, g, "p"))
	_, err := s.Put(t.Context(), "q/a", strings.NewReader("x"), 1)
	must(t, err)
	other, err := s.At(g.Prefix("p/q"))
	must(t, err)
	if info, err := other.Stat(t.Context(), "a"); err != nil || info.Size != 1 || other.Capabilities() != s.Capabilities() {
		t.Errorf("%+v, error %v", info, err)
	}
	if _, err := s.At("a//b"); err == nil {
		t.Error("a bad prefix is taken")
	}
}

// TestPresignPut_Type: the content type is part of what was signed.
func TestPresignPut_Type(t *testing.T) {
	g := s3test.Start(t)
	s := open(t, options(t, g, "p"))
	p, err := s.PresignPut(t.Context(), "a", time.Minute, 5, "image/png")
	must(t, err)
	for _, kind := range []string{"image/png", "text/html"} {
		req, err := http.NewRequestWithContext(t.Context(), p.Method, p.URL, strings.NewReader("hello"))
		must(t, err)
		for name, value := range p.Header {
			req.Header.Set(name, value)
		}
		req.Header.Set("Content-Type", kind)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		resp.Body.Close()
		if ok := resp.StatusCode == http.StatusOK; ok != (kind == "image/png") {
			t.Errorf("%s: status %d; signed are %v", kind, resp.StatusCode, p.Header)
		}
	}
	out, err := g.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &g.Bucket, Key: aws.String(g.Prefix("p/a"))})
	must(t, err)
	if *out.ContentType != "image/png" {
		t.Errorf("the type is %s", *out.ContentType)
	}
}

// TestBlackHole: nothing passes for a while, and then the work goes on by itself.
func TestBlackHole(t *testing.T) {
	g := s3test.Start(t)
	p := proxy(t, g)
	s := through(t, g, p, "p")
	data := make([]byte, 1<<20)
	p.Hole(true)
	time.AfterFunc(time.Second, func() { p.Hole(false) })
	begin := time.Now()
	_, err := s.Put(t.Context(), "a", bytes.NewReader(data), 1<<20)
	must(t, err)
	if d := time.Since(begin); d < time.Second {
		t.Errorf("it was no hole: %s", d)
	}
	body, err := s.Get(t.Context(), "a", 0, -1)
	must(t, err)
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
	body.Close()
}

// TestUpload_ThroughFaults: parts of a real size, through faults, from a file and without one.
func TestUpload_ThroughFaults(t *testing.T) {
	g := s3test.Start(t)
	p := proxy(t, g)
	s := through(t, g, p, "p")
	part := int(s.Limits().MinPart)
	data := make([]byte, 4*part+12345)
	_, _ = mrand.NewChaCha8([32]byte{3}).Read(data)
	var faults []s3proxy.Fault
	for _, mode := range s3proxy.Modes {
		faults = append(faults, s3proxy.Fault{Mode: mode, Ops: opsFor(mode), Share: 0.02})
	}
	p.Inject(7, faults...)
	u, err := s.NewUpload(t.Context(), "big")
	must(t, err)
	var parts []objstore.Part
	for off := 0; off < len(data); off += part {
		chunk := data[off:min(off+part, len(data))]
		var r io.Reader = bytes.NewReader(chunk)
		if off == part {
			r = io.MultiReader(r) // can't be read twice
		}
		stored, err := u.Part(t.Context(), len(parts)+1, r, int64(len(chunk)))
		must(t, err)
		parts = append(parts, stored)
	}
	info, err := u.Complete(t.Context(), parts)
	must(t, err)
	body, err := s.GetMatch(t.Context(), "big", info.ETag, 0, -1)
	must(t, err)
	defer body.Close()
	p.Inject(8, s3proxy.Fault{Mode: s3proxy.Reset, Share: 0.5}, s3proxy.Fault{Mode: s3proxy.Truncate, Share: 0.2})
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
}
