package s3test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	startTimeout = 20 * time.Second
	logTail      = 16 << 10 // bytes of the server's log that a failed test shows
)

// launch starts a versitygw. Another program may take the free port between our look and its start, so that
// a server which ends at once is started again elsewhere.
func launch(t testing.TB) *Gateway {
	t.Helper()
	bin := binary(t)
	dir := t.TempDir()
	g := &Gateway{
		Bucket: "tote-test", AccessKey: "tote", SecretKey: rand.Text(), Region: "us-east-1",
		Dir: filepath.Join(dir, "objects"),
	}
	if err := os.Mkdir(g.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 3 {
		var s *server
		if s, err = g.run(bin, dir); err == nil {
			t.Cleanup(func() { s.stop(t) })
			return g
		}
	}
	t.Fatalf("versitygw does not start: %v", err)
	return nil
}

// server is the child process.
type server struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // of Wait; once it has ended
}

func (g *Gateway) run(bin, dir string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(dir, "versitygw-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"--port", addr, "--region", g.Region, "--keep-alive", "posix"}
	if unix.Setxattr(g.Dir, "user.tote", []byte("x"), 0) != nil {
		args = append(args, "--sidecar", sidecar(dir))
	}
	s := &server{cmd: exec.Command(bin, append(args, g.Dir)...), log: log.Name(), done: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+g.AccessKey, "ROOT_SECRET_KEY="+g.SecretKey)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.start(); err != nil {
		return nil, err
	}
	if err := s.ready(addr); err != nil {
		s.kill()
		return nil, fmt.Errorf("%w\n%s", err, tail(s.log))
	}
	g.Endpoint, g.Pid = "http://"+addr, s.cmd.Process.Pid
	return s, nil
}

// sidecar is where the server keeps metadata on a file system without extended attributes.
func sidecar(dir string) string {
	path := filepath.Join(dir, "meta")
	_ = os.Mkdir(path, 0o700) // the server says so when it is missing
	return path
}

// start runs the child on a thread that lives as long as the child does: its death signal is bound to the
// thread that made it.
func (s *server) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(s.done)
		if err := s.cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		s.err = s.cmd.Wait()
	}()
	return <-started
}

// ready waits until the server answers.
func (s *server) ready(addr string) error {
	client := http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	deadline := time.After(startTimeout)
	for {
		if resp, err := client.Get("http://" + addr + "/"); err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("it ended at once: %w", errors.Join(s.err, errors.New(addr)))
		case <-deadline:
			return fmt.Errorf("no answer at %s for %s", addr, startTimeout)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.done
}

func (s *server) stop(t testing.TB) {
	s.kill()
	if t.Failed() {
		t.Logf("versitygw said:\n%s", tail(s.log))
	}
}

func tail(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	return data[max(0, len(data)-logTail):]
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := l.Addr().String()
	return addr, l.Close()
}

// binary finds versitygw.
func binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("TOTE_VERSITYGW"); path != "" {
		return path
	}
	if path := filepath.Join(moduleRoot(), ".tools", "bin", "versitygw"); executable(path) {
		return path
	}
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path
	}
	const missing = "versitygw is missing: GOBIN=$PWD/.tools/bin go install github.com/versity/versitygw/cmd/versitygw@v1.8.0"
	if os.Getenv("CI") == "true" || os.Getenv("TOTE_MUST_RUN") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

func executable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0
}

// moduleRoot is the nearest directory above the test's with a go.mod.
func moduleRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == "/" {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
