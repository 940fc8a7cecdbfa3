package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// adminOn serves a control table on a socket in dir.
func adminOn(t *testing.T, dir string, table map[string]command) {
	t.Helper()
	l, err := listenUnix(filepath.Join(dir, socketFile))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: adminHandler(table)}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
}

type echo struct{ Text string }

var echoTable = map[string]command{
	"echo": handle(func(_ context.Context, a echo, out output) (echo, error) {
		for i, word := range strings.Fields(a.Text) {
			out.line(word)
			out.progress(progress{What: "echoing", Done: int64(i + 1), Total: 3})
		}
		return a, nil
	}),
	"fail": handle(func(context.Context, echo, output) (echo, error) { return echo{}, failf(exitBusy, "still busy") }),
	"break": handle(func(context.Context, echo, output) (echo, error) {
		panic(http.ErrAbortHandler)
	}),
}

func TestAdminSocket(t *testing.T) {
	for name, dir := range map[string]string{
		"short path": t.TempDir(),
		"long path":  filepath.Join(t.TempDir(), strings.Repeat("long/", 40)),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, socketFile), nil, 0o600); err != nil { // left by a killed server
				t.Fatal(err)
			}
			adminOn(t, dir, echoTable)
			if m := mode(t, filepath.Join(dir, socketFile)); m != 0o600 {
				t.Errorf("mode %#o", m)
			}
			for via, to := range map[string]caller{"socket": newRemote(dir), "this process": local(echoTable)} {
				t.Run(via, func(t *testing.T) { testCaller(t, to) })
			}
		})
	}
}

// testCaller checks that a command looks the same wherever it runs.
func testCaller(t *testing.T, to caller) {
	var lines []string
	var last progress
	var got echo
	err := to.call(t.Context(), "echo", echo{"a b c"}, &got, output{
		Line:     func(s string) { lines = append(lines, s) },
		Progress: func(p progress) { last = p },
	})
	if err != nil || got.Text != "a b c" || !slices.Equal(lines, []string{"a", "b", "c"}) {
		t.Errorf("got %+v, %q, %v", got, lines, err)
	}
	if want := (progress{What: "echoing", Done: 3, Total: 3}); last != want {
		t.Errorf("progress %v, want %v", last, want)
	}
	err = to.call(t.Context(), "fail", echo{}, &got, output{})
	var e *exitError
	if !errors.As(err, &e) || e.code != exitBusy || err.Error() != "still busy" {
		t.Errorf("got %v", err)
	}
}

func TestAdminSocketThatBreaks(t *testing.T) {
	dir := t.TempDir()
	to := newRemote(dir)
	var got echo
	wantError(t, to.call(t.Context(), "echo", echo{}, &got, output{}), "does not answer")
	adminOn(t, dir, echoTable)
	wantError(t, to.call(t.Context(), "break", echo{}, &got, output{}), "running server")
	wantError(t, to.call(t.Context(), "new", echo{}, &got, output{}), "another version")
	wantError(t, readFrames(strings.NewReader(`{"line":"x"}`), &got, output{}), "broke off")
}

func TestAdminHandlerRefuses(t *testing.T) {
	h := adminHandler(echoTable)
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		text               string
	}{
		"unknown":       {"POST", "/x", "{}", 404, "no such command"},
		"GET":           {"GET", "/echo", "", 404, "no such command"},
		"huge":          {"POST", "/echo", strings.Repeat(" ", 2<<20), 400, "bad request"},
		"bad arguments": {"POST", "/echo", "[]", 200, "bad arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.text) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

// The user commands do the same with and without a running server.
func TestUserCommands(t *testing.T) {
	for _, online := range []bool{true, false} {
		name := map[bool]string{true: "server running", false: "no server"}[online]
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			s := startProgram(t, cfg)
			if !online {
				if err := s.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			testUserCommands(t, cfg.Data)
			if online {
				if status, _, _ := request(t, "PROPFIND", s.URL+"/dav/", "bob:second secret", ""); status != 207 {
					t.Errorf("login: %d", status)
				}
			}
		})
	}
}

func testUserCommands(t *testing.T, data string) {
	user := func(stdin string, code int, says string, args ...string) string {
		t.Helper()
		o := toteIn(t, stdin, append([]string{"user"}, append(args, "--data", data)...)...)
		o.want(t, code, says)
		return o.stdout
	}
	user("first secret\n", exitOK, "", "add", "bob", "--role", "reader", "--role", "ROLE_BINARY_CREATE")
	user("first secret\n", exitUsage, "exists", "add", "bob")
	user("short\n", exitUsage, "at least 8", "add", "eve")
	user("", exitUsage, "no password on standard input", "add", "eve")
	user("first secret\n", exitUsage, `no role "king"`, "add", "eve", "--role", "king")
	user("first secret\n", exitUsage, `no tenant "acme"`, "add", "acme/eve")
	user("first secret\n", exitUsage, "user name", "add", "a:b")
	user("second secret\n", exitOK, "", "passwd", "rdp/bob")
	user("second secret\n", exitUsage, "no user rdp/eve", "passwd", "eve")
	user("", exitOK, "", "role", "bob", "editor")
	user("", exitUsage, "last admin", "role", "admin", "editor")
	user("", exitUsage, "last admin", "rm", "admin")
	user("", exitUsage, "usage: tote user role NAME ROLE...", "role", "bob")
	if p := user("", exitOK, "", "add", "carol", "--generate", "--role", "admin"); checkPassword(strings.TrimSpace(p)) != nil {
		t.Errorf("generated password %q", p)
	}
	user("", exitOK, "", "rm", "carol")
	user("", exitUsage, "no user rdp/carol", "rm", "carol")
	var list []userInfo
	out := user("", exitOK, "", "ls", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[1].Name != "bob" || !slices.Equal(list[1].Roles, []string{"editor"}) || strings.Contains(out, "argon2") {
		t.Errorf("users: %s", out)
	}
	if out := user("", exitOK, "", "ls"); !strings.Contains(out, "bob") {
		t.Errorf("users: %s", out)
	}
}

func TestPasswordChangeRemovesTheFirstOne(t *testing.T) {
	cfg := testConfig(t)
	cfg.AdminPassword = ""
	s := startProgram(t, cfg)
	old := strings.TrimSpace(string(must(os.ReadFile(s.password))))
	if status, _, _ := request(t, "PROPFIND", s.URL+"/dav/", "admin:"+old, ""); status != 207 {
		t.Fatalf("login: %d", status)
	}
	toteIn(t, "brand new one\n", "user", "passwd", "admin", "--data", cfg.Data).want(t, exitOK)
	if _, err := os.Stat(s.password); !os.IsNotExist(err) {
		t.Error("the file with the old password stays")
	}
	if status, _, _ := request(t, "PROPFIND", s.URL+"/dav/", "admin:"+old, ""); status != 401 {
		t.Errorf("the old password still logs in: %d", status)
	}
	if status, _, _ := request(t, "PROPFIND", s.URL+"/dav/", "admin:brand new one", ""); status != 207 {
		t.Errorf("the new password: %d", status)
	}
}

func TestStatusGCFsck(t *testing.T) {
	cfg := testConfig(t)
	s := startProgram(t, cfg)
	for _, content := range []string{"one", "two"} {
		request(t, "PUT", s.URL+"/dav/f", admin, content)
	}
	check := func(running bool) {
		t.Helper()
		var r statusReport
		o := tote(t, "status", "--data", cfg.Data, "--json")
		o.want(t, exitOK)
		if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
			t.Fatal(err)
		}
		if r.Running != running || len(r.Tenants) != 1 || r.Tenants[0].Files != 1 || r.Tenants[0].Bytes != 3 || (r.PID == os.Getpid()) != running {
			t.Errorf("status: %s", o.stdout)
		}
		if o := tote(t, "status", "--data", cfg.Data); !strings.Contains(o.stdout, "tenant rdp") {
			t.Errorf("status: %s", o.stdout)
		}
		tote(t, "gc", "--data", cfg.Data, "--now").want(t, exitOK)
		o = tote(t, "fsck", "--data", cfg.Data, "--deep")
		o.want(t, exitOK)
		if !strings.Contains(o.stdout, "0 problems") {
			t.Errorf("fsck: %s", o.stdout)
		}
	}
	check(true)
	if _, _, body := request(t, "GET", s.URL+"/dav/f", admin, ""); body != "two" {
		t.Errorf("after gc: %q", body)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	check(false)
}

func TestFsckFindsMissingObjects(t *testing.T) {
	cfg := testConfig(t)
	s := startProgram(t, cfg)
	request(t, "PUT", s.URL+"/dav/f.txt", admin, "content")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(filepath.Join(cfg.Data, "objects"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), "@_@") {
			return os.Remove(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	o := tote(t, "fsck", "--data", cfg.Data)
	o.want(t, exitDamaged, "1 problems")
	if !strings.Contains(o.stdout, "/f.txt") {
		t.Errorf("fsck: %s", o.stdout)
	}
	var r fsckReport
	o = tote(t, "fsck", "--data", cfg.Data, "--json")
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || len(r.Found) != 1 {
		t.Errorf("fsck --json: %s, %v", o.stdout, err)
	}
}

func TestCommandsWaitForAServerThatStarts(t *testing.T) {
	cfg := testConfig(t)
	if err := startProgram(t, cfg).Stop(); err != nil {
		t.Fatal(err)
	}
	d := must(openDataDir(cfg.Data, false))
	go func() {
		<-time.After(200 * time.Millisecond) // the lock of a server that is ending
		d.Close()
	}()
	tote(t, "status", "--data", cfg.Data).want(t, exitOK)
}

func TestReadPassword(t *testing.T) {
	for in, want := range map[string]string{"secret word\n": "secret word", "secret\r\nmore": "secret", "no newline": "no newline"} {
		if got, err := readPassword(strings.NewReader(in), io.Discard); got != want || err != nil {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
}
