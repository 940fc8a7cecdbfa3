package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dirs makes a mount point and names a data directory that does not exist yet.
func dirs(t *testing.T) (data, mnt string) {
	t.Helper()
	home := must(filepath.EvalSymlinks(t.TempDir()))
	data, mnt = filepath.Join(home, "data"), filepath.Join(home, "mnt")
	if err := os.Mkdir(mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // of a test that failed
		if _, ok := mountAt(mnt); ok {
			_ = fusermount(t.Context(), mnt, true)
		}
	})
	return data, mnt
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestServeAllFaces(t *testing.T) {
	needFUSE(t)
	data, mnt := dirs(t)
	addr := freeAddr(t)
	old := syscall.Umask(0) // a careless start must not open the data directory
	c := spawn(t, nil, "serve", "--data", data, "--mount", mnt, "--listen", addr)
	syscall.Umask(old)
	c.ready(t)
	for _, want := range []string{"curl -u", "http://" + addr + "/dav/", "/inventory/binaries", mnt, filepath.Join(data, passwordFile)} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("the start does not print %q: %s", want, c.out.String())
		}
	}
	user := "admin:" + strings.TrimSpace(read(t, filepath.Join(data, passwordFile)))
	write(t, filepath.Join(mnt, "from-mount"), "m")
	if _, _, body := request(t, "GET", "http://"+addr+"/dav/from-mount", user, ""); body != "m" {
		t.Errorf("GET of a file of the mount: %q", body)
	}
	if status, _, _ := request(t, "PUT", "http://"+addr+"/dav/from-dav", user, "d"); status != 201 {
		t.Errorf("PUT: %d", status)
	}
	if got := read(t, filepath.Join(mnt, "from-dav")); got != "d" {
		t.Errorf("file of PUT on the mount: %q", got)
	}
	checkPrivate(t, data)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := c.exit(t); code != exitOK {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
	if _, ok := mountAt(mnt); ok {
		t.Error("still mounted")
	}
}

// checkPrivate walks a data directory for anything that other users could read.
func checkPrivate(t *testing.T, data string) {
	t.Helper()
	err := filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err == nil && mode(t, path)&0o077 != 0 {
			t.Errorf("%s has mode %#o", path, mode(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestModesOnTheMountFollowTheCaller(t *testing.T) {
	needFUSE(t)
	data, mnt := dirs(t)
	c := spawn(t, nil, "serve", "--data", data, "--mount", mnt, "--listen", "off")
	c.ready(t)
	old := syscall.Umask(0o002)
	defer syscall.Umask(old)
	if err := os.Mkdir(filepath.Join(mnt, "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	f := must(os.OpenFile(filepath.Join(mnt, "f"), os.O_CREATE|os.O_WRONLY, 0o666))
	f.Close()
	if d, f := mode(t, filepath.Join(mnt, "d")), mode(t, filepath.Join(mnt, "f")); d != 0o775 || f != 0o664 {
		t.Errorf("modes %#o and %#o", d, f)
	}
}

func TestUmount(t *testing.T) {
	needFUSE(t)
	data, mnt := dirs(t)
	data += ", odd"
	addr := freeAddr(t)
	c := spawn(t, nil, "serve", "--data", data, "--mount", mnt, "--listen", addr)
	c.ready(t)
	write(t, filepath.Join(mnt, "f"), "kept")
	tote(t, "serve", "--data", data+"2", "--listen", "off", "--mount", mnt).want(t, exitMount, "in use by a mount")
	if m, _ := mountAt(mnt); m.source != data {
		t.Errorf("the source of the mount is %q, want %q", m.source, data)
	}
	o := tote(t, "umount", mnt) // the mount itself says where its server is
	o.want(t, exitOK)
	if o.stdout != "unmounted "+mnt+"\n" {
		t.Errorf("stdout %q", o.stdout)
	}
	if _, ok := mountAt(mnt); ok {
		t.Error("still mounted")
	}
	tote(t, "umount", "--data", data).want(t, exitFailed, "nothing mounted")
	tote(t, "umount", mnt).want(t, exitMount, "nothing is mounted")
	if status, _, body := request(t, "GET", "http://"+addr+"/readyz", "", ""); status != 200 {
		t.Errorf("not ready after a wanted umount: %s", body)
	}
}

// A server that does not answer commands is gone around: the kernel is asked. The server of a mount alone ends with it.
func TestUmountFromOutside(t *testing.T) {
	needFUSE(t)
	data, mnt := dirs(t)
	c := spawn(t, nil, "serve", "--data", data, "--mount", mnt, "--listen", "off")
	c.ready(t)
	if err := os.Remove(filepath.Join(data, socketFile)); err != nil {
		t.Fatal(err)
	}
	f := must(os.Create(filepath.Join(mnt, "open")))
	tote(t, "umount", mnt).want(t, exitBusy, "still in use")
	f.Close()
	tote(t, "umount", mnt).want(t, exitOK)
	if code := c.exit(t); code != exitOK {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
}

func TestUmountSaysWhatIsLeft(t *testing.T) {
	needFUSE(t)
	data, mnt := dirs(t)
	c := spawn(t, nil, "serve", "--data", data, "--mount", mnt, "--listen", "off")
	c.ready(t)
	f := must(os.Create(filepath.Join(mnt, "busy.txt")))
	defer f.Close()
	if _, err := f.WriteString("saved"); err != nil {
		t.Fatal(err)
	}
	tote(t, "umount", "--data", data, "--timeout", "200ms").want(t, exitBusy, "busy.txt")
	if code := c.exit(t); code != exitOK {
		t.Errorf("exit code %d: %s", code, c.err.String())
	}
	tote(t, "fsck", "--data", data, "--deep").want(t, exitOK)
}

// A killed server leaves a dead mount. The next start needs nobody's help, also where the kernel still answers stat(2) for it.
func TestRestartAfterKill(t *testing.T) {
	needFUSE(t)
	data, mnt := dirs(t)
	args := []string{"serve", "--data", data, "--mount", mnt, "--listen", "off"}
	c := spawn(t, nil, args...)
	c.ready(t)
	write(t, filepath.Join(mnt, "f"), "kept")
	must(os.Stat(mnt)) // gets the attributes into the kernel's cache
	_ = c.Process.Kill()
	c.exit(t)
	if _, err := os.ReadDir(mnt); !errors.Is(err, syscall.ENOTCONN) {
		t.Fatalf("the mount is not dead: %v", err)
	}
	c = spawn(t, nil, args...)
	c.ready(t)
	if got := read(t, filepath.Join(mnt, "f")); got != "kept" {
		t.Errorf("after the restart: %q", got)
	}
	_ = c.Process.Kill()
	c.exit(t)
	tote(t, "umount", mnt).want(t, exitOK)
	if _, ok := mountAt(mnt); ok {
		t.Error("still mounted")
	}
}

func TestSignals(t *testing.T) {
	data, _ := dirs(t)
	addr := freeAddr(t)
	c := spawn(t, []string{adminPasswordEnv + "=correct horse"}, "serve", "--data", data, "--listen", addr, "--stop-timeout", "1m")
	c.ready(t)
	conn := mustDial(t, addr)
	head := "PUT /dav/hang HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46Y29ycmVjdCBob3JzZQ==\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
	if _, err := conn.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	_ = c.Process.Signal(syscall.SIGINT)
	waitFor(t, "begin of the stop", func() bool { return strings.Contains(c.err.String(), "msg=stopping") })
	start := time.Now()
	_ = c.Process.Signal(syscall.SIGINT)
	c.exit(t)
	if ws := c.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGINT {
		t.Errorf("ended with %v", c.ProcessState)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the second signal took %v", d)
	}
}

// Secrets show neither in the log nor where other users of the machine can look.
func TestSecretsStayInside(t *testing.T) {
	data, _ := dirs(t)
	addr := freeAddr(t)
	const secret = "planted-secret-1"
	c := spawn(t, []string{adminPasswordEnv + "=" + secret}, "serve", "--data", data, "--listen", addr, "--log-level", "debug")
	c.ready(t)
	request(t, "PUT", "http://"+addr+"/dav/f", "admin:"+secret, "x")
	request(t, "GET", "http://"+addr+"/dav/f?token="+secret, "admin:planted-secret-2", "")
	request(t, "GET", "http://"+addr+"/blobs/assets/f?sig=planted-secret-3", "", "")
	toteIn(t, "planted-secret-4\n", "user", "add", "bob", "--data", data).want(t, exitOK)
	request(t, "GET", "http://"+addr+"/dav/f", "bob:planted-secret-4", "")
	cmdline := read(t, "/proc/"+itoa(c.Process.Pid)+"/cmdline")
	for where, text := range map[string]string{"log": c.err.String(), "stdout": c.out.String(), "command line": cmdline} {
		if strings.Contains(text, "planted-secret") {
			t.Errorf("%s shows a secret: %s", where, text)
		}
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	c.exit(t)
	for _, name := range []string{dbFile, lockFile} {
		if strings.Contains(read(t, filepath.Join(data, name)), "planted-secret") {
			t.Errorf("%s holds a password", name)
		}
	}
}
