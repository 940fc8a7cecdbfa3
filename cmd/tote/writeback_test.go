package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tote/fs"
	"tote/objstore/s3store/s3proxy"
	"tote/objstore/s3store/s3test"
)

// proxied puts a proxy between a server under test and its store.
func proxied(t *testing.T, g *s3test.Gateway) *s3proxy.Proxy {
	t.Helper()
	p := must(s3proxy.New(g.Endpoint))
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// status is what "tote status" says.
func status(t *testing.T, data string) (r statusReport) {
	t.Helper()
	o := tote(t, "status", "--data", data, "--json")
	o.want(t, exitOK)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWriteback(t *testing.T) {
	needFUSE(t)
	g := startS3(t)
	proxy := proxied(t, g)
	data, mnt := dirs(t)
	args := []string{"serve", "--data", data, "--mount", mnt, "--listen", "off", "--writeback", "--stop-timeout", "300ms",
		"--store", g.URLAt(proxy.URL(), "tree")}
	c := spawn(t, nil, args...)
	c.ready(t)
	proxy.Hole(true)
	write(t, filepath.Join(mnt, "big.bin"), strings.Repeat("0123456789abcdef", 1<<16))
	write(t, filepath.Join(mnt, "small.txt"), "hello")
	r := status(t, data)
	if len(r.Waiting) != 2 || r.Waiting[0].Path != "/big.bin" || r.Waiting[0].Size != 1<<20 || !r.Waiting[1].Staged {
		t.Errorf("waiting: %+v", r.Waiting)
	}
	o := tote(t, "status", "--data", data)
	for _, want := range []string{"2 files, 0 B of 1.0 MiB uploaded", "/small.txt, 5 B"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("status does not show %q: %s", want, o.stdout)
		}
	}
	tote(t, "umount", mnt, "--timeout", "300ms").want(t, exitWaiting, "2 files (1.0 MiB) not uploaded yet", "goes on with it")
	if code := c.exit(t); code != exitWaiting {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
	if r := status(t, data); len(r.Waiting) != 2 || r.Running {
		t.Errorf("without a server: %+v", r)
	}
	proxy.Hole(false)

	c = spawn(t, nil, args...)
	c.ready(t)
	waitFor(t, "end of the uploads", func() bool { return len(status(t, data).Waiting) == 0 })
	if got := read(t, filepath.Join(mnt, "small.txt")); got != "hello" {
		t.Errorf("after the restart: %q", got)
	}
	write(t, filepath.Join(mnt, "more"), "m")
	o = tote(t, "umount", mnt)
	o.want(t, exitOK)
	if o.stdout != "unmounted "+mnt+"\n" || o.stderr != "" {
		t.Errorf("umount says %q and %q", o.stdout, o.stderr)
	}
	c.exit(t)
	if r := status(t, data); len(r.Waiting) != 0 || r.Versions["stored"] != 3 {
		t.Errorf("after umount: %+v", r)
	}
	tote(t, "fsck", "--data", data, "--deep").want(t, exitOK)
}

// A server that is told to stop gives uploads its time and says what is left.
func TestStopSaysWhatWaits(t *testing.T) {
	needFUSE(t)
	g := startS3(t)
	proxy := proxied(t, g)
	data, mnt := dirs(t)
	c := spawn(t, nil, "serve", "--data", data, "--mount", mnt, "--listen", "off", "--writeback", "--stop-timeout", "300ms",
		"--store", g.URLAt(proxy.URL(), "tree"))
	c.ready(t)
	proxy.Hole(true)
	write(t, filepath.Join(mnt, "f"), "kept")
	_ = c.Process.Signal(syscall.SIGTERM)
	if code := c.exit(t); code != exitWaiting || !strings.Contains(c.err.String(), "1 file (4 B) not uploaded yet") {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
	proxy.Hole(false)
	tote(t, "gc", "--data", data).want(t, exitOK)
}

func TestGauge(t *testing.T) {
	var g gauge
	for _, tt := range []struct {
		p           fs.Progress
		done, total int64
	}{
		{fs.Progress{Files: 2, Bytes: 100}, 0, 100},
		{fs.Progress{Files: 2, Bytes: 100, Sent: 30}, 30, 100},
		{fs.Progress{Files: 1, Bytes: 40, Sent: 10}, 70, 100}, // one of 60 has left
		{fs.Progress{Files: 2, Bytes: 90, Sent: 10}, 70, 150}, // one of 50 has come
		{fs.Progress{}, 150, 150},
	} {
		if got := g.progress(tt.p); got.Done != tt.done || got.Total != tt.total {
			t.Errorf("%+v: %d of %d, want %d of %d", tt.p, got.Done, got.Total, tt.done, tt.total)
		}
	}
}

func TestPrintWaiting(t *testing.T) {
	r := statusReport{Data: "/d"}
	for range maxListed + 3 {
		r.Waiting = append(r.Waiting, fs.Transfer{Ino: 7, Size: 10, Sent: 5, Tries: 2, Error: "no route\nto host"})
	}
	var out bytes.Buffer
	if err := printStatus(&out, &r, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"23 files, 115 B of 230 B uploaded", "(file 7), 10 B, 5 B sent, tried 2 times: no route to host", "and 3 more"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("status does not show %q:\n%s", want, out.String())
		}
	}
}
