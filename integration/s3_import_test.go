package integration

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore/s3store/s3proxy"
)

// adoptReport is what import and recover print with --json.
type adoptReport struct {
	Listed, Adopted, Known, Older, Skipped, Bytes int64
	Problems                                      []string
}

// putObject puts an object into the bucket behind the server's back, below its prefix.
func (s *server) putObject(t *testing.T, key string, data []byte) {
	t.Helper()
	key = s.gateway.Prefix(s.prefix) + "/" + key
	_, err := s.gateway.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &s.gateway.Bucket, Key: &key, Body: bytes.NewReader(data)})
	check(t, err)
}

// below is the URL of what lies below a prefix of the server's.
func (s *server) below(prefix string) string {
	return "s3://" + s.gateway.Bucket + "/" + s.gateway.Prefix(s.prefix) + "/" + prefix
}

// TestS3Import adopts objects that lie in the bucket. They become files under their own names on all doors, and no byte of them moves. To repeat it
// changes nothing; gc leaves them alone, and takes them when their files are removed.
func TestS3Import(t *testing.T) {
	s, p := startProxied(t)
	const id = "0198c0de-1111-7222-8333-444455556666"
	objects := map[string]string{ // key: path
		"photos/a.txt":                    "/in/a.txt",
		"photos/2024/deep/b.bin":          "/in/2024/deep/b.bin",
		"photos/bag@_@" + id + ".png":     "/in/bag.png",
		"photos/2024/größe 1.txt":         "/in/2024/größe 1.txt",
		"photos/plain":                    "/in/plain",
		"photos/empty.txt":                "/in/empty.txt",
		"photos/2024/x@_@y@_@" + id:       "/in/2024/x@_@y",
		"photos/2024/large.iso":           "/in/2024/large.iso",
		"photosynthesis/not-this-one.txt": "",
	}
	contents := map[string][]byte{}
	for key, path := range objects {
		data := []byte("content of " + key)
		switch {
		case strings.HasPrefix(key, "photos/empty"):
			data = []byte{}
		case strings.HasSuffix(key, ".iso"):
			data = randomBytes(2*s3Part+5, 4)
		}
		contents[path] = data
		s.putObject(t, key, data)
	}
	p.Forget()
	var r adoptReport
	s.json(&r, "import", "--json", "--data", s.data, s.below("photos/"), "in")
	if r.Adopted != 8 || r.Listed != 8 || len(r.Problems) > 0 {
		t.Errorf("import: %+v", r)
	}
	if n := count(p, s3proxy.GetObject, s3proxy.PutObject, s3proxy.CopyObject, s3proxy.UploadPart, s3proxy.UploadPartCopy); n.Calls > 0 {
		t.Errorf("import moved bytes: %+v", p.Counts())
	}
	s.json(&r, "import", "--json", "--data", s.data, s.below("photos/"), "in")
	if r.Adopted != 0 || r.Known != 8 {
		t.Errorf("import again: %+v", r)
	}
	t.Logf("gc: %+v", s.gc())
	for key, path := range objects {
		for _, f := range s.faces() {
			if path != "" {
				wantContent(t, f, path, contents[path])
			} else if _, err := f.Get("/in/" + filepath.Base(key)); err == nil {
				t.Errorf("%s was imported", key)
			}
		}
	}
	wantContent(t, s.dav(), "/in/bag@_@"+id+".png", contents["/in/bag.png"])
	check(t, s.mount().Remove("/in/a.txt"))
	s.gc()
	for _, key := range s.objects() {
		if key == "photos/a.txt" {
			t.Error("gc leaves the object of an imported file that was removed")
		}
	}
}

// TestS3ImportResumes kills an import of many objects in its middle, and lets it go on. In the end every object is one file.
func TestS3ImportResumes(t *testing.T) {
	s, p := startProxied(t)
	const objects = 2500
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < objects; i += 8 {
				s.putObject(t, fmt.Sprintf("many/%d/%d.txt", i%7, i), fmt.Append(nil, i))
			}
		})
	}
	wg.Wait()
	p.Inject(0, s3proxy.Fault{Mode: s3proxy.Hang, Ops: []s3proxy.Op{s3proxy.ListObjects}, Nth: 3})
	ended := make(chan int, 1)
	go func() {
		_, code := s.tote("import", "--data", s.data, s.below("many/"))
		ended <- code
	}()
	eventually(t, time.Minute, func() error {
		if p.Count(s3proxy.ListObjects).Faults == 0 {
			return fmt.Errorf("the import has not come to the third page")
		}
		return nil
	})
	s.kill()
	if code := <-ended; code == 0 {
		t.Error("an import whose server was killed succeeds")
	}
	p.Inject(0)
	s.start()
	var r adoptReport
	s.json(&r, "import", "--json", "--data", s.data, s.below("many/"))
	t.Logf("the second run: %+v", r)
	if r.Listed != objects || r.Known == 0 || r.Adopted+r.Known != objects {
		t.Errorf("the second run: %+v, want the rest of %d", r, objects)
	}
	for i := range 7 {
		names, err := s.mount().List(fmt.Sprint("/", i))
		if err != nil || len(names) != (objects-i+6)/7 {
			t.Errorf("/%d has %d names, %v", i, len(names), err)
		}
	}
	wantGet(t, s.dav(), "/3/10.txt", "10")
}

// TestS3Recover loses the data directory, and rebuilds the tree from the bucket: names, directories, modes, times and contents.
func TestS3Recover(t *testing.T) {
	needS3(t)
	s := startServer(t)
	m := s.mount()
	for _, dir := range []string{"/d", "/d/deep", "/größe"} {
		check(t, m.Mkdir(dir))
	}
	for i, w := range s.faces() {
		for j, dir := range []string{"/d", "/d/deep", "/größe"} {
			name := fmt.Sprintf("%s/file %d.txt", dir, i)
			if w.Name() != "rest" { // whose first version has a key of its own, without the order that others have
				check(t, w.Put(name, []byte("replaced later")))
			}
			check(t, w.Put(name, fmt.Appendf(nil, "content %d of %s", j, w.Name())))
		}
	}
	check(t, m.Put("/large", randomBytes(20<<20, 1)))
	check(t, m.Put("/noext", []byte("no extension")))
	s.stop()
	s.start()
	before := tree(t, s.mnt)
	s.stop()
	fresh := filepath.Join(tempDir(t), "data")
	var r adoptReport
	store := s.gateway.URL(s.prefix)
	s.json(&r, "recover", "--json", "--data", fresh, "--store", store)
	t.Logf("recover: %+v", r)
	if len(r.Problems) > 0 || r.Skipped > 0 {
		t.Errorf("recover could not place: %q", r.Problems)
	}
	again := startServer(t, withData(fresh), withStoreOf(s))
	sameTree(t, "after recover", tree(t, again.mnt), before)
	again.settled()
	s.unsafe = true // gc of the new one took what the old one still remembers
}

// withStoreOf uses the objects of another server.
func withStoreOf(other *server) option {
	return func(s *server) {
		s.gateway, s.prefix, s.env = other.gateway, other.prefix, other.env
		s.args = append(s.args, "--store", other.gateway.URL(other.prefix))
	}
}
