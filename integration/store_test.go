package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore/s3store/s3test"
)

// The whole suite runs twice: on the embedded store, and with TOTE_TEST_STORE=s3 on an S3 server, a versitygw that each test starts for itself or
// the server that s3test is told about.

// onS3 tells whether servers keep their objects in S3.
func onS3() bool { return os.Getenv("TOTE_TEST_STORE") == "s3" }

// embeddedOnly are the tests that are not run on S3, each with the reason.
var embeddedOnly = map[string]string{
	"TestG9NoSpace":  "it fills the disk that has the objects; on S3 they are elsewhere, and what staging does on a full disk is the same",
	"TestG10NoStore": "it takes the objects' files away; TestS3Hole takes the whole store away",
	"TestGoBuild":    "the compiler takes ten seconds of processor time; TestSoakGoBuild builds on both stores",
	"TestLimits":     "renames and listings touch no store: there is nothing of S3 in it",
}

// needS3 skips tests that are about S3 alone.
func needS3(t *testing.T) {
	t.Helper()
	if !onS3() {
		t.Skip("only with TOTE_TEST_STORE=s3")
	}
}

// skipEmbedded skips tests that are about the embedded store alone.
func skipEmbedded(t testing.TB) {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	if reason, ok := embeddedOnly[name]; ok && onS3() {
		t.Skip("not on S3: " + reason)
	}
}

// TestStoreTable keeps the list of exceptions true.
func TestStoreTable(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	check(t, err)
	found := map[string]bool{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		check(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				found[fn.Name.Name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(embeddedOnly)) {
		if !found[name] {
			t.Errorf("there is no %s any more", name)
		}
	}
}

// brief tells whether tests do less: with -short, and on S3, where each write is a call of another process and the embedded store's run has
// done the rest.
func brief() bool { return testing.Short() || onS3() }

// withS3 keeps the objects of a server in the gateway's bucket, below a prefix of its own. The server reaches it at endpoint.
func withS3(g *s3test.Gateway, endpoint string) option {
	return func(s *server) {
		s.gateway, s.prefix = g, strings.ToLower(rand.Text()[:12])
		s.args = append(s.args, "--store", g.URLAt(endpoint, s.prefix))
		s.env = append(s.env, g.Env()...)
	}
}

// useStore gives a server the store that the suite runs on, unless the test has chosen one.
func (s *server) useStore() {
	s.t.Helper()
	if s.gateway == nil && onS3() {
		g := s3test.Start(s.t)
		withS3(g, g.Endpoint)(s)
	}
}

// objectKeys lists what the bucket has below the server's prefix.
func (s *server) objectKeys() (keys []string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	prefix := s.gateway.Prefix(s.prefix) + "/"
	pages := s3.NewListObjectsV2Paginator(s.gateway.Client(), &s3.ListObjectsV2Input{Bucket: &s.gateway.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		check(s.t, err)
		for _, o := range page.Contents {
			keys = append(keys, strings.TrimPrefix(aws.ToString(o.Key), prefix))
		}
	}
	return keys
}

// openUploads lists the multipart uploads that are open below the server's prefix, as "key id".
func (s *server) openUploads() (open []string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	prefix := s.gateway.Prefix(s.prefix) + "/"
	pages := s3.NewListMultipartUploadsPaginator(s.gateway.Client(), &s3.ListMultipartUploadsInput{Bucket: &s.gateway.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		check(s.t, err)
		for _, u := range page.Uploads {
			open = append(open, fmt.Sprintf("%s %s", aws.ToString(u.Key), aws.ToString(u.UploadId)))
		}
	}
	return open
}

// noUploads wants no multipart upload to be open, which is so when nothing is being written and gc has run.
func (s *server) noUploads() {
	s.t.Helper()
	if s.gateway == nil {
		return
	}
	if open := s.openUploads(); len(open) > 0 {
		s.t.Errorf("%d multipart uploads are left in the bucket: %q", len(open), open[:min(len(open), 5)])
	}
}

// objectOf finds the object of a file that had one content only: its key, or its name below the directory of objects.
func (s *server) objectOf(name string) string {
	s.t.Helper()
	for _, object := range s.objects() {
		if strings.Contains(object, "/"+name+"@_@") {
			return object
		}
	}
	s.t.Fatalf("%s has no object", name)
	return ""
}

// damage changes the object of a file behind the server's back: other gets its bytes and returns what shall be there, nil for nothing. On a server of
// our own the object's file is changed, so that the store itself does not know.
func (s *server) damage(name string, other func([]byte) []byte) {
	s.t.Helper()
	object := s.objectOf(name)
	file := filepath.Join(s.data, "objects", object)
	if s.gateway != nil {
		if s.gateway.Dir == "" {
			s.replaceObject(object, other)
			return
		}
		file = filepath.Join(s.gateway.Dir, s.gateway.Bucket, s.gateway.Prefix(s.prefix), object)
	}
	b, err := os.ReadFile(file)
	check(s.t, err)
	if b = other(b); b == nil {
		check(s.t, os.Remove(file))
		return
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0) // the same file, with what the gateway has noted about it
	check(s.t, err)
	_, err = f.Write(b)
	check(s.t, errors.Join(err, f.Close()))
}

// replaceObject is damage by a client of the store.
func (s *server) replaceObject(object string, other func([]byte) []byte) {
	s.t.Helper()
	c, bucket, key := s.gateway.Client(), &s.gateway.Bucket, s.gateway.Prefix(s.prefix)+"/"+object
	got, err := c.GetObject(s.t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key})
	check(s.t, err)
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	check(s.t, err)
	if b = other(b); b == nil {
		_, err = c.DeleteObject(s.t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: &key})
	} else {
		_, err = c.PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(b)})
	}
	check(s.t, err)
}
