package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tote/objstore/s3store/s3test"
)

// startS3 starts a server for objects, and gives its keys to this process.
func startS3(t *testing.T) *s3test.Gateway {
	t.Helper()
	g := s3test.Start(t)
	for _, v := range g.Env() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	return g
}

// s3Config is a server whose objects are below a prefix of the gateway's bucket.
func s3Config(t *testing.T, g *s3test.Gateway) Config {
	t.Helper()
	cfg := testConfig(t)
	cfg.Store = g.URL("tree")
	cfg.Remote.CacheSize = 64 << 20
	return cfg
}

func TestServeOnS3(t *testing.T) {
	g := startS3(t)
	cfg := s3Config(t, g)
	runOnce(t, cfg, func(s *serving) {
		putHello(t)(s)
		wantHello(t)(s)
		if strings.Contains(s.Logs.String(), g.SecretKey) {
			t.Error("the log shows the secret key")
		}
		if n := strings.Count(s.Logs.String(), "conditional-put"); n != 1 {
			t.Errorf("what the store can do is logged %d times", n)
		}
	})
	if _, err := os.Stat(filepath.Join(cfg.Data, "objects")); !os.IsNotExist(err) {
		t.Error("an embedded store was made as well")
	}
	other := cfg
	other.Data = filepath.Join(t.TempDir(), "other")
	serveRefused(t, other.Data, "--store", cfg.Store).want(t, exitUsage, "already has objects", "tote recover")
	if _, err := os.Stat(other.Data); !os.IsNotExist(err) {
		t.Error("the refused data directory was created")
	}
	serveRefused(t, cfg.Data, "--store", ownStore).want(t, exitUsage, "is not where", "s3://"+g.Bucket, "--adopt-store")
	serveRefused(t, cfg.Data, "--store", g.URL("elsewhere")).want(t, exitUsage, "is not where")
	serveRefused(t, cfg.Data, "--store", g.URL("elsewhere"), "--adopt-store").want(t, exitUsage, "does not have the objects")
	cfg.Store = strings.Replace(cfg.Store, "127.0.0.1", "localhost", 1) // another way to the same place
	runOnce(t, cfg, wantHello(t))
	cfg.Store = ""
	runOnce(t, cfg, wantHello(t))
	tote(t, "fsck", "--data", cfg.Data, "--deep").want(t, exitOK)
	tote(t, "gc", "--data", cfg.Data, "--now").want(t, exitOK)
	runOnce(t, cfg, wantHello(t))
}

// A store that can't be used is refused with what to do about it, and nothing is created.
func TestS3Refusals(t *testing.T) {
	g := startS3(t)
	skewed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large</Message></Error>`)
	}))
	defer skewed.Close()
	website := httptest.NewServer(http.NotFoundHandler())
	defer website.Close()
	for _, tt := range []struct {
		name, store string
		env         []string
		code        int
		says        []string
	}{
		{"bucket", strings.Replace(g.URL("x"), g.Bucket, "no-such-bucket", 1), nil, exitUsage, []string{"no bucket", "no-such-bucket"}},
		{"key", g.URL("x"), []string{"AWS_SECRET_ACCESS_KEY", "planted-wrong-secret"}, exitUsage, []string{"AWS_SECRET_ACCESS_KEY"}},
		{"no keys", g.URL("x"), []string{"AWS_ACCESS_KEY_ID", ""}, exitUsage, []string{"no credentials"}},
		{"clock", g.URLAt(skewed.URL, "x"), nil, exitUsage, []string{"clock"}},
		{"website", g.URLAt(website.URL, "x"), nil, exitUsage, nil},
		{"nobody", g.URLAt("http://"+freeAddr(t), "x"), nil, exitFailed, []string{"connection refused"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.env != nil {
				t.Setenv(tt.env[0], tt.env[1])
			}
			data := filepath.Join(t.TempDir(), "data")
			o := serveRefused(t, data, "--store", tt.store)
			o.want(t, tt.code, append(tt.says, "--store")...)
			if strings.Contains(o.stderr, "planted") {
				t.Errorf("the message shows the key: %s", o.stderr)
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Error("the data directory was created")
			}
			t.Log(o.stderr)
		})
	}
}

func TestStatusShowsTheStore(t *testing.T) {
	g := startS3(t)
	cfg := s3Config(t, g)
	show := func() statusReport {
		t.Helper()
		o := tote(t, "status", "--data", cfg.Data, "--json")
		o.want(t, exitOK)
		var r statusReport
		if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(r.Store.URL, "s3://"+g.Bucket+"/"+g.Prefix("tree")+"?") {
			t.Errorf("store %+v", r.Store)
		}
		return r
	}
	runOnce(t, cfg, func(*serving) {
		if r := show(); !slices.Contains(r.Store.Can, "copy-part") || r.Cache == nil || r.Cache.Limit != cfg.Remote.CacheSize {
			t.Errorf("store %+v, cache %+v", r.Store, r.Cache)
		}
		o := tote(t, "status", "--data", cfg.Data)
		for _, want := range []string{"s3://" + g.Bucket, "min-part=", "of 64.0 MiB"} {
			if !strings.Contains(o.stdout, want) {
				t.Errorf("status does not show %q: %s", want, o.stdout)
			}
		}
	})
	show()
}
