package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runOnce starts a server on cfg, does something and stops it.
func runOnce(t *testing.T, cfg Config, do func(s *serving)) {
	t.Helper()
	s := startProgram(t, cfg)
	do(s)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

func putHello(t *testing.T) func(*serving) {
	return func(s *serving) {
		if status, _, _ := request(t, "PUT", s.URL+"/dav/f.txt", admin, "hello"); status != 201 {
			t.Fatalf("PUT: %d", status)
		}
	}
}

func wantHello(t *testing.T) func(*serving) {
	return func(s *serving) {
		if _, _, body := request(t, "GET", s.URL+"/dav/f.txt", admin, ""); body != "hello" {
			t.Errorf("GET: %q", body)
		}
	}
}

// serveRefused runs tote serve, which must not start.
func serveRefused(t *testing.T, data string, args ...string) outcome {
	t.Helper()
	return tote(t, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "warn"}, args...)...)
}

func TestStoreIsRemembered(t *testing.T) {
	cfg := testConfig(t)
	elsewhere := filepath.Join(t.TempDir(), "o")
	cfg.Store = "file:" + elsewhere
	runOnce(t, cfg, putHello(t))
	cfg.Store = "" // what it was
	runOnce(t, cfg, wantHello(t))
	o := serveRefused(t, cfg.Data, "--store", "file:"+cfg.Data+"/objects")
	o.want(t, exitUsage, "file:DATA/objects", "file://"+elsewhere, "--adopt-store")
	serveRefused(t, cfg.Data, "--uploads", "8").want(t, exitUsage, "--uploads is about remote stores")
	tote(t, "fsck", "--data", cfg.Data, "--store", "file:/nowhere").want(t, exitUsage, "is not where")
	if _, err := os.Stat(filepath.Join(cfg.Data, "objects")); !os.IsNotExist(err) {
		t.Error("the refused store was created")
	}
	tote(t, "fsck", "--data", cfg.Data, "--deep").want(t, exitOK)
}

func TestStoreIsAdopted(t *testing.T) {
	cfg := testConfig(t)
	runOnce(t, cfg, putHello(t))
	moved := filepath.Join(t.TempDir(), "moved")
	o := serveRefused(t, cfg.Data, "--store", "file:"+moved, "--adopt-store")
	o.want(t, exitUsage, "does not have the objects", "f@_@")
	if err := errors.Join(os.RemoveAll(moved), os.Rename(filepath.Join(cfg.Data, "objects"), moved)); err != nil {
		t.Fatal(err)
	}
	cfg.Store, cfg.AdoptStore = "file:"+moved, true
	runOnce(t, cfg, wantHello(t))
	cfg.Store, cfg.AdoptStore = "", false
	runOnce(t, cfg, wantHello(t))
}

// A tree whose database is lost must not be replaced by an empty one, whose garbage collection would delete every object.
func TestNewTreeKeepsOffOldObjects(t *testing.T) {
	cfg := testConfig(t)
	cfg.Store = "file:" + filepath.Join(t.TempDir(), "o")
	runOnce(t, cfg, putHello(t))
	cfg.Data = filepath.Join(t.TempDir(), "new")
	serveRefused(t, cfg.Data, "--store", cfg.Store).want(t, exitUsage, "already has objects", "tote recover")
	cfg.AdoptStore = true
	serveRefused(t, cfg.Data, "--store", cfg.Store, "--adopt-store").want(t, exitUsage, "already has objects")
}

// A data directory with the store inside can be moved as a whole.
func TestDataDirectoryMoves(t *testing.T) {
	cfg := testConfig(t)
	runOnce(t, cfg, putHello(t))
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(cfg.Data, moved); err != nil {
		t.Fatal(err)
	}
	cfg.Data = moved
	runOnce(t, cfg, wantHello(t))
}

// Databases from before the store was remembered go on with the store they are given, if it is theirs.
func TestStoreOfAnOlderDatabase(t *testing.T) {
	cfg := testConfig(t)
	runOnce(t, cfg, func(s *serving) {
		putHello(t)(s)
		if err := s.core.db.PutSetting(t.Context(), storeSetting, nil, 0); err != nil {
			t.Fatal(err)
		}
	})
	other := "file:" + filepath.Join(t.TempDir(), "other")
	o := serveRefused(t, cfg.Data, "--store", other)
	o.want(t, exitUsage, "does not have the objects")
	if strings.Contains(o.stderr, "adopt") {
		t.Errorf("says %q", o.stderr)
	}
	runOnce(t, cfg, wantHello(t))
}
