package davserver

import (
	"io"
	"strings"
	"sync"
	"testing"
)

// TestProbesSafe: nothing that a client does or fails to do loses bytes that it did not mean to lose.
func TestProbesSafe(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 625)
	probes(t, "safe", []probe{
		{"put-aborted-length", func(s *share, d string) {
			s.cutPut(d+"/new", false, body, 5000)
			s.absent(d + "/new")
		}},
		{"put-aborted-chunked", func(s *share, d string) {
			s.cutPut(d+"/new", true, body, 5000)
			s.absent(d + "/new")
		}},
		{"put-aborted-over", func(s *share, d string) {
			s.put(d+"/f", "old")
			tag := s.etag(d + "/f")
			s.cutPut(d+"/f", false, body, 5000)
			s.cutPut(d+"/f", true, body, 5000)
			s.holds(d+"/f", "old")
			if s.etag(d+"/f") != tag {
				s.t.Error("the entity tag changed")
			}
		}},
		{"read-during-put", func(s *share, d string) {
			s.put(d+"/f", "old")
			r, w := io.Pipe()
			var wg sync.WaitGroup
			wg.Go(func() { s.send("PUT", d+"/f", r) })
			_, err := w.Write([]byte(body))
			must(s.t, err)
			s.holds(d+"/f", "old")
			must(s.t, w.Close())
			wg.Wait()
			s.holds(d+"/f", body)
		}},
		{"parallel-put", func(s *share, d string) {
			r, w := io.Pipe()
			var first answer
			var wg sync.WaitGroup
			wg.Go(func() { first = s.send("PUT", d+"/f", r) })
			_, err := w.Write([]byte("first"))
			must(s.t, err)
			s.want(201, "PUT", d+"/f", "second")
			must(s.t, w.Close())
			wg.Wait()
			if first.code != 204 {
				s.t.Errorf("the slower one: %d", first.code)
			}
			s.holds(d+"/f", "first")
		}},
		{"move-missing", func(s *share, d string) {
			s.put(d+"/to", "keep")
			s.want(404, "MOVE", d+"/none", "", dest(d+"/to"), "Overwrite: T")
			s.holds(d+"/to", "keep")
		}},
		{"copy-missing", func(s *share, d string) {
			s.put(d+"/to", "keep")
			s.want(404, "COPY", d+"/none", "", dest(d+"/to"), "Overwrite: T")
			s.holds(d+"/to", "keep")
		}},
		{"move-onto-parent", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/a", "")
			s.put(d+"/a/b", "b")
			s.put(d+"/a/c", "c")
			s.want(403, "MOVE", d+"/a/b", "", dest(d+"/a"), "Overwrite: T")
			s.want(403, "COPY", d+"/a/b", "", dest(d+"/a"), "Overwrite: T")
			s.holds(d+"/a/b", "b")
			s.holds(d+"/a/c", "c")
		}},
		{"move-into-self", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/a", "")
			s.put(d+"/a/f", "f")
			s.want(403, "MOVE", d+"/a", "", dest(d+"/a/b"))
			s.want(403, "MOVE", d+"/a", "", dest(d+"/a"))
			s.holds(d+"/a/f", "f")
		}},
		{"copy-into-self", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/a", "")
			s.put(d+"/a/f", "f")
			s.want(403, "COPY", d+"/a", "", dest(d+"/a/b"))
			s.want(403, "COPY", d+"/a/f", "", dest(d+"/a/f"))
			s.absent(d + "/a/b")
			s.holds(d+"/a/f", "f")
		}},
		{"move-fails-keeps", func(s *share, d string) {
			s.put(d+"/f", "f")
			s.want(201, "MKCOL", d+"/to", "")
			s.put(d+"/to/locked", "keep")
			s.lock(d+"/to/locked", "X-User: ann")
			s.want(423, "MOVE", d+"/f", "", dest(d+"/to"), "Overwrite: T")
			s.want(409, "MOVE", d+"/f", "", dest(d+"/none/f"))
			s.holds(d+"/f", "f")
			s.holds(d+"/to/locked", "keep")
		}},
		{"copy-fails-keeps", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/a", "")
			s.put(d+"/a/f", "f")
			s.put(d+"/to", "keep")
			s.lock(d+"/to", "X-User: ann")
			s.want(423, "COPY", d+"/a", "", dest(d+"/to"), "Overwrite: T")
			s.want(409, "COPY", d+"/a", "", dest(d+"/none/a"))
			s.want(412, "COPY", d+"/a", "", dest(d+"/to"), "Overwrite: F")
			s.holds(d+"/to", "keep")
		}},
		{"content-range", func(s *share, d string) {
			s.put(d+"/f", "0123456789")
			for _, r := range []string{"bytes 3-5/10", "bytes 3-5/*", "bytes 0-2/3", "bytes */10", "lines 1-2/3", "bytes 5-3/10", "x"} {
				s.do("PUT", d+"/f", "345", "Content-Range: "+r)
				if n := s.want(200, "HEAD", d+"/f", "").Get("Content-Length"); n != "10" {
					s.t.Fatalf("%q left %s bytes", r, n)
				}
			}
		}},
	})
}
