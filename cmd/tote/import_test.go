package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore/s3store/s3test"
)

// putObject puts an object into the bucket behind the server's back.
func putObject(t *testing.T, g *s3test.Gateway, key, content string) {
	t.Helper()
	key = g.Prefix(key)
	_, err := g.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &g.Bucket, Key: &key, Body: strings.NewReader(content)})
	if err != nil {
		t.Fatal(err)
	}
}

// bucketKeys lists the keys below a prefix.
func bucketKeys(t *testing.T, g *s3test.Gateway, prefix string) (keys []string) {
	t.Helper()
	prefix = g.Prefix(prefix)
	out, err := g.Client().ListObjectsV2(context.WithoutCancel(t.Context()), &s3.ListObjectsV2Input{Bucket: &g.Bucket, Prefix: &prefix})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

// Objects become files where they are, by the running server or without one, and again without doing harm.
func TestImport(t *testing.T) {
	g := startS3(t)
	cfg := s3Config(t, g)
	for key, content := range map[string]string{
		"tree/photos/a.jpg": "A", "tree/photos/2024/lamp@_@9b6c1f0e.png": "B", "tree/photos2/no.jpg": "C", "outside/x.jpg": "D",
	} {
		putObject(t, g, key, content)
	}
	url := "s3://" + g.Bucket + "/" + g.Prefix("tree/photos")
	get := func(s *serving, path, want string) {
		t.Helper()
		if _, _, body := request(t, "GET", s.URL+"/dav"+path, admin, ""); body != want {
			t.Errorf("GET %s: %q, want %q", path, body, want)
		}
	}
	runOnce(t, cfg, func(s *serving) {
		o := tote(t, "import", url, "in/here", "--data", cfg.Data)
		o.want(t, exitOK)
		if !strings.HasPrefix(o.stdout, "imported 2 of 2 objects (2 B)\n") {
			t.Errorf("import: %q, %q", o.stdout, o.stderr)
		}
		get(s, "/in/here/a.jpg", "A")
		get(s, "/in/here/2024/lamp.png", "B")
	})
	putObject(t, g, "tree/photos/late.jpg", "L")
	putObject(t, g, "tree/photos/"+strings.Repeat("n", 250)+"/"+strings.Repeat("m", 250), "long")
	outside := "s3://" + g.Bucket + "/" + g.Prefix("outside")
	o := tote(t, "import", outside, "--data", cfg.Data)
	o.want(t, exitOK)
	tote(t, "import", outside, "--data", cfg.Data).want(t, exitOK)
	o = tote(t, "import", url+"/", "/in/here", "--data", cfg.Data, "--json")
	o.want(t, exitOK)
	var r adopted
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || r.Adopted != 2 || r.Known != 2 || r.Listed != 4 {
		t.Errorf("import: %s, %v", o.stdout, err)
	}
	runOnce(t, cfg, func(s *serving) {
		get(s, "/in/here/late.jpg", "L")
		get(s, "/x.jpg", "D")
		tote(t, "gc", "--data", cfg.Data, "--now").want(t, exitOK)
		get(s, "/in/here/a.jpg", "A")
		if n := len(bucketKeys(t, g, "tree/photos")); n != 5 {
			t.Errorf("%d objects, want those that were there", n)
		}
		request(t, "DELETE", s.URL+"/dav/in/here/a.jpg", admin, "")
		tote(t, "gc", "--data", cfg.Data, "--now").want(t, exitOK)
		if n := len(bucketKeys(t, g, "tree/photos/a.jpg")); n != 0 {
			t.Error("the object of a deleted file stays")
		}
		if n := len(bucketKeys(t, g, "outside/")); n != 1 {
			t.Errorf("%d objects are left outside the prefix", n)
		}
		request(t, "PUT", s.URL+"/dav/x.jpg", admin, "replaced")
		tote(t, "gc", "--data", cfg.Data, "--now").want(t, exitOK)
		if n := len(bucketKeys(t, g, "outside/")); n != 0 {
			t.Error("the object of a replaced file stays outside the prefix")
		}
		get(s, "/x.jpg", "replaced")
	})
	tote(t, "fsck", "--data", cfg.Data, "--deep").want(t, exitOK)
}

func TestImportRefuses(t *testing.T) {
	g := startS3(t)
	cfg := s3Config(t, g)
	runOnce(t, cfg, func(*serving) {})
	local := testConfig(t)
	runOnce(t, local, func(*serving) {})
	bucket := "s3://" + g.Bucket + "/"
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no URL", nil, exitUsage, "usage: tote import s3://BUCKET/PREFIX [DIR]"},
		{"no S3", []string{"/home/me/photos"}, exitUsage, "want s3://bucket/prefix"},
		{"keys", []string{"s3://key:hunter2@" + g.Bucket + "/x"}, exitUsage, "want s3://bucket/prefix"},
		{"bucket", []string{"s3://other/tree"}, exitUsage, "is not in bucket \"" + g.Bucket},
		{"parameters", []string{bucket + g.Prefix("tree") + "?region=x"}, exitUsage, "nothing may follow"},
		{"nothing there", []string{bucket + g.Prefix("tree/none")}, exitFailed, "no objects below"},
		{"directory", []string{bucket + g.Prefix("tree/x"), "../.."}, exitUsage, "directory"},
		{"tenant", []string{bucket + g.Prefix("tree/x"), "--tenant", "acme"}, exitUsage, `no tenant "acme"`},
		{"embedded", []string{bucket + "x", "--data", local.Data}, exitUsage, "keeps its objects in files of this machine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := tote(t, append([]string{"import", "--data", cfg.Data}, tt.args...)...)
			o.want(t, tt.code, tt.says)
			if strings.Contains(o.stderr, "hunter2") {
				t.Errorf("the message shows a password: %s", o.stderr)
			}
		})
	}
}

func TestRecover(t *testing.T) {
	g := startS3(t)
	cfg := s3Config(t, g)
	runOnce(t, cfg, func(s *serving) {
		putHello(t)(s)
		request(t, "MKCOL", s.URL+"/dav/d", admin, "")
		for _, content := range []string{"old", "new"} {
			request(t, "PUT", s.URL+"/dav/d/g.txt", admin, content)
		}
	})
	putObject(t, g, "tree/somebody/elses.jpg", "x")
	data := filepath.Join(t.TempDir(), "again")
	recovered := func(code int, says ...string) outcome {
		t.Helper()
		o := tote(t, "recover", "--data", data, "--store", cfg.Store)
		o.want(t, code, says...)
		return o
	}
	o := recovered(exitOK)
	if want := "recovered 3 of 4 objects (11 B); older versions: 1; left alone: 1\n"; o.stdout != want {
		t.Errorf("recover says %q, want %q", o.stdout, want)
	}
	recovered(exitUsage, "has a tree already")
	again := cfg
	again.Data, again.Store = data, ""
	runOnce(t, again, func(s *serving) {
		wantHello(t)(s)
		if _, _, body := request(t, "GET", s.URL+"/dav/d/g.txt", admin, ""); body != "new" {
			t.Errorf("GET: %q", body)
		}
	})
	tote(t, "fsck", "--data", data, "--deep").want(t, exitOK)
	tote(t, "recover", "--data", data).want(t, exitUsage, "--store must name")
	tote(t, "recover", "--data", cfg.Data, "--store", cfg.Store).want(t, exitUsage, "has a tree already")
}

// Half a tree is not served: its garbage collection would take the other half for orphans.
func TestRecoverIsResumable(t *testing.T) {
	g := startS3(t)
	cfg := s3Config(t, g)
	runOnce(t, cfg, putHello(t))
	data := filepath.Join(t.TempDir(), "again")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs strings.Builder
	if code := run(ctx, []string{"tote", "recover", "--data", data, "--store", cfg.Store}, strings.NewReader(""), &out, &errs); code != exitFailed {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	d := must(openDataDir(data, true)) // it may have been interrupted anywhere: here right after the note that it has begun
	s := &closers{timeout: cfg.StopTimeout, log: discard()}
	db := must(openDB(t.Context(), d, 0, discard(), s))
	if err := allowRecovery(t.Context(), &Config{Data: data}, db); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	serveRefused(t, data, "--store", cfg.Store).want(t, exitUsage, "run tote recover again")
	tote(t, "gc", "--data", data, "--store", cfg.Store, "--now").want(t, exitUsage, "run tote recover again")
	tote(t, "recover", "--data", data, "--store", cfg.Store).want(t, exitOK)
	cfg.Data = data
	runOnce(t, cfg, wantHello(t))
}

func TestRecoverLeavesNothingBehindWithoutAStore(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	tote(t, "recover", "--data", data, "--store", "s3://b/x?endpoint=http://127.0.0.1:1").want(t, exitUsage, "no credentials")
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Error("the data directory was created")
	}
}
