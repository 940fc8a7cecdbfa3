package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tote/fs"
	"tote/meta"
	"tote/restapi"
)

func TestProgramStartsAndStops(t *testing.T) {
	cfg := testConfig(t)
	s := startProgram(t, cfg)
	if status, _, _ := request(t, "PUT", s.URL+"/dav/f", admin, "hello"); status != 201 {
		t.Fatalf("PUT: %d", status)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.data.file(socketFile)); !os.IsNotExist(err) {
		t.Errorf("the admin socket stays: %v", err)
	}
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		c.Close()
		t.Error("still listening")
	}
	again := startProgram(t, cfg)
	if _, _, body := request(t, "GET", again.URL+"/dav/f", admin, ""); body != "hello" {
		t.Errorf("after a restart: %q", body)
	}
}

func TestSecondProgramIsRefused(t *testing.T) {
	cfg := testConfig(t)
	s := startProgram(t, cfg)
	o := tote(t, "serve", "--data", cfg.Data, "--listen", "127.0.0.1:0")
	o.want(t, exitInUse, s.data.path, "in use")
	if status, _, _ := request(t, "GET", s.URL+"/readyz", "", ""); status != 200 {
		t.Errorf("the first server suffered: %d", status)
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	data := filepath.Join(t.TempDir(), "data")
	tote(t, "serve", "--data", data, "--listen", l.Addr().String()).want(t, exitListen, "can't listen on "+l.Addr().String(), "address already in use")
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Error("the data directory was created")
	}
}

func TestFirstPassword(t *testing.T) {
	t.Run("random", func(t *testing.T) {
		cfg := testConfig(t)
		cfg.AdminPassword = ""
		s := startProgram(t, cfg)
		file := filepath.Join(cfg.Data, passwordFile)
		if m := mode(t, file); m != 0o600 {
			t.Errorf("mode %#o", m)
		}
		password := strings.TrimSpace(string(must(os.ReadFile(file))))
		if status, _, _ := request(t, "PROPFIND", s.URL+"/dav/", "admin:"+password, ""); status != 207 {
			t.Errorf("login: %d", status)
		}
		if strings.Contains(s.Logs.String(), password) {
			t.Error("the log shows the password")
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		s = startProgram(t, cfg)
		if status, _, _ := request(t, "PROPFIND", s.URL+"/dav/", "admin:"+password, ""); status != 207 {
			t.Errorf("login after a restart: %d", status)
		}
	})
	t.Run("given", func(t *testing.T) {
		cfg := testConfig(t)
		startProgram(t, cfg)
		if _, err := os.Stat(filepath.Join(cfg.Data, passwordFile)); !os.IsNotExist(err) {
			t.Errorf("a given password is written down: %v", err)
		}
	})
	t.Run("interrupted first start", func(t *testing.T) {
		cfg := testConfig(t)
		cfg.AdminPassword = ""
		d := must(openDataDir(cfg.Data, true))
		if err := errors.Join(writePassword(d.file(passwordFile), "never used"), d.Close()); err != nil {
			t.Fatal(err)
		}
		s := startProgram(t, cfg)
		password := strings.TrimSpace(string(must(os.ReadFile(s.password))))
		if status, _, _ := request(t, "PROPFIND", s.URL+"/dav/", "admin:"+password, ""); status != 207 {
			t.Errorf("login: %d", status)
		}
	})
}

func TestStopLetsRequestsFinish(t *testing.T) {
	s := startProgram(t, testConfig(t))
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	head := "PUT /dav/slow HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46Y29ycmVjdCBob3JzZQ==\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
	if _, err := c.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := c.Read(b); err != nil || !strings.Contains(string(b[:n]), "100 Continue") {
		t.Fatalf("%q, %v", b[:n], err)
	}
	s.stop()
	waitFor(t, "listener that is closed", func() bool {
		c, err := net.Dial("tcp", s.Addr())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if _, err := c.Write([]byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	n, err := c.Read(b)
	if err != nil || !strings.Contains(string(b[:n]), "201 Created") {
		t.Errorf("%q, %v", b[:n], err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func TestStopCutsOffWhatHangs(t *testing.T) {
	cfg := testConfig(t)
	cfg.StopTimeout = 100 * time.Millisecond
	s := startProgram(t, cfg)
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("PUT /dav/hang HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46Y29ycmVjdCBob3JzZQ==\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.Stop(), "cut off")
	o := tote(t, "fsck", "--data", cfg.Data)
	o.want(t, exitOK)
}

func TestClosersRunLastFirst(t *testing.T) {
	var order []string
	s := &closers{timeout: time.Second, log: discard()}
	add := func(name string, err error) {
		s.push(name, func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Errorf("%s has no deadline", name)
			}
			order = append(order, name)
			return err
		})
	}
	add("database", nil)
	add("core", errors.New("core broke"))
	add("mount", failf(exitBusy, "mount broke"))
	err := s.Close()
	wantError(t, err, "close core: core broke", "close mount: mount broke")
	if got := strings.Join(order, " "); got != "mount core database" {
		t.Errorf("order: %s", got)
	}
	if exitCode(err, &buffer{}) != exitBusy {
		t.Error("the exit code is lost")
	}
	if s.Close() != nil || len(order) != 3 {
		t.Error("the second Close did something")
	}
}

func TestJobsRunAndStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var logs buffer
	j := &jobs{cancel: cancel, log: newLogger(&logs, 0, "text")}
	ran := make(chan struct{}, 100)
	j.every(ctx, "test", time.Millisecond, func(context.Context) error { ran <- struct{}{}; return errors.New("broke") })
	<-ran
	<-ran // a failure does not end it
	if err := j.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logs.String(), "job=test error=broke") {
		t.Errorf("log: %s", logs.String())
	}
}

func TestSigningKeyIsKept(t *testing.T) {
	db := must(meta.Open(t.Context(), filepath.Join(t.TempDir(), "db"), meta.Options{NoSync: true}))
	defer db.Close()
	a, b := must(signingKey(t.Context(), db)), must(signingKey(t.Context(), db))
	if len(a) != 32 || string(a) != string(b) {
		t.Errorf("keys %x and %x", a, b)
	}
}

// The REST face sees the rows of the database as its own.
func TestDocuments(t *testing.T) {
	db := must(meta.Open(t.Context(), filepath.Join(t.TempDir(), "db"), meta.Options{NoSync: true}))
	defer db.Close()
	must(db.EnsureTenant(t.Context(), "rdp", 0o755, 0, 0, meta.Relaxed))
	d := documents{db}
	row := restapi.BSO{Tenant: "rdp", ID: "1", Type: "image", ObjectKey: "k", Doc: []byte(`{}`), Created: 1, Modified: 2}
	refuse := errors.New("refused")
	for _, tt := range []struct {
		name  string
		check func(old *restapi.BSO) error
		want  error
	}{
		{"new", func(old *restapi.BSO) error {
			if old != nil {
				return refuse
			}
			return nil
		}, nil},
		{"again", func(old *restapi.BSO) error {
			if old == nil || old.ID != "1" {
				return nil
			}
			return refuse
		}, refuse},
		{"without a check", nil, nil},
	} {
		if err := d.PutBSO(t.Context(), row, tt.check); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if got := must(d.GetBSO(t.Context(), "rdp", "1")); got.ObjectKey != "k" || string(got.Doc) != "{}" {
		t.Errorf("got %+v", got)
	}
	byKey, listed := must(d.BSOsByKey(t.Context(), "rdp", "k")), must(d.ListBSO(t.Context(), "rdp", []string{"image"}, 0, 10))
	if len(byKey) != 1 || len(listed) != 1 {
		t.Errorf("found %d by key, %d listed", len(byKey), len(listed))
	}
	if err := d.DeleteBSO(t.Context(), "rdp", "1"); err != nil {
		t.Error(err)
	}
	if _, err := d.GetBSO(t.Context(), "rdp", "1"); fs.Errno(err).Error() != "no such file or directory" {
		t.Errorf("after the removal: %v", err)
	}
}
