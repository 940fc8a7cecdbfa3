package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"tote/objstore/s3store/s3proxy"
	"tote/objstore/s3store/s3test"
)

// startProxied starts a server on S3 that reaches its bucket through a proxy. Large files have parts of 5 MiB, the smallest that S3 takes.
func startProxied(t *testing.T, opts ...option) (*server, *s3proxy.Proxy) {
	t.Helper()
	needS3(t)
	g := s3test.Start(t)
	p, err := s3proxy.New(g.Endpoint)
	check(t, err)
	t.Cleanup(func() { check(t, p.Close()) })
	s := startServer(t, append([]option{withS3(g, p.URL()), withArgs("--part-size", fmt.Sprint(s3Part))}, opts...)...)
	t.Cleanup(func() { // the server stops and is checked on a network that works
		p.Hole(false)
		p.Inject(0)
	})
	return s, p
}

const s3Part = 5 << 20

// forget restarts the server without anything that it or the kernel has cached of the store.
func (s *server) forget() {
	s.t.Helper()
	s.stop()
	check(s.t, os.RemoveAll(filepath.Join(s.data, "cache")))
	s.start()
}

// settled wants the bucket to hold what the database refers to and nothing else, once gc has run.
func (s *server) settled() {
	s.t.Helper()
	s.t.Logf("gc: %+v", s.gc())
	s.noUploads()
	found := s.fsck()
	if keys := s.objects(); int64(len(keys)) != found.Objects {
		s.t.Errorf("%d objects in the bucket for %d of the versions: %q", len(keys), found.Objects, keys[:min(len(keys), 10)])
	}
}

// count adds up what passed of some operations.
func count(p *s3proxy.Proxy, ops ...s3proxy.Op) (sum s3proxy.Count) {
	for _, op := range ops {
		n := p.Count(op)
		sum.Calls += n.Calls
		sum.Up += n.Up
		sum.Down += n.Down
	}
	return sum
}
