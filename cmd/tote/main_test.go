package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asTote makes the test binary behave as tote: tests that need a process of their own, for a mount or for signals, start themselves again.
const asTote = "TOTE_TEST_AS_TOTE"

func TestMain(m *testing.M) {
	if os.Getenv(asTote) != "" {
		os.Unsetenv(asTote)
		main()
	}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "TOTE_") && name != mustRun {
			os.Unsetenv(name) // settings of whoever runs the tests
		}
	}
	os.Exit(m.Run())
}

const mustRun = "TOTE_MUST_RUN"

// skip skips a test that the machine can't run, and fails it where every test has to run.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv(mustRun) != "" {
		t.Fatal("must run, but " + why)
	}
	t.Skip(why)
}

func needFUSE(t *testing.T) {
	t.Helper()
	if err := checkFUSE(); err != nil {
		skip(t, err.Error())
	}
}

// outcome is what a command did.
type outcome struct {
	code           int
	stdout, stderr string
}

// tote runs a command in this process.
func tote(t *testing.T, args ...string) outcome {
	t.Helper()
	return toteIn(t, "", args...)
}

// toteIn is tote with standard input.
func toteIn(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append([]string{"tote"}, args...), strings.NewReader(stdin), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// want fails the test unless the command ended with code and said all of texts on standard error, in one line.
func (o outcome) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d; stderr: %s", o.code, code, o.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("stderr %q does not say %q", o.stderr, text)
		}
	}
	if code != exitOK && strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("stderr is not one line: %q", o.stderr)
	}
}

// buffer is a bytes.Buffer that a server writes to while the test reads.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// testConfig is a server on a free port of the loopback interface over a new data directory.
func testConfig(t *testing.T) Config {
	t.Helper()
	return Config{
		Data: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", LogFormat: "text", StopTimeout: 10 * time.Second,
		AdminPassword: "correct horse",
	}
}

// serving is a program that runs in this process.
type serving struct {
	*Program
	URL  string
	Logs *buffer
	stop context.CancelFunc
	done chan struct{}
	err  error // of Run, once done is closed
}

// startProgram runs cfg until the test ends.
func startProgram(t *testing.T, cfg Config) *serving {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	logs, ready := &buffer{}, make(chan struct{})
	s := &serving{Logs: logs, stop: cancel, done: make(chan struct{})}
	s.Program = &Program{Config: cfg, Log: newLogger(logs, slog.LevelDebug, "text"), Stdout: io.Discard, Ready: func() { close(ready) }}
	go func() {
		defer close(s.done)
		s.err = s.Run(ctx)
	}()
	t.Cleanup(func() { _ = s.Stop() })
	select {
	case <-ready:
	case <-s.done:
		t.Fatalf("the server did not start: %v", s.err)
	}
	s.URL = s.baseURL()
	return s
}

// Stop ends the server and returns what Run did.
func (s *serving) Stop() error {
	s.stop()
	<-s.done
	return s.err
}

// process is tote in a process of its own.
type child struct {
	*exec.Cmd
	out, err buffer
	done     chan struct{}
}

// spawn starts tote and returns without waiting.
func spawn(t *testing.T, env []string, args ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0], args...), done: make(chan struct{})}
	c.Env = append(append(os.Environ(), asTote+"=1"), env...)
	c.Stdout, c.Stderr = &c.out, &c.err
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(c.done); _ = c.Wait() }()
	t.Cleanup(func() { c.end(t) })
	return c
}

// end stops what is left of a child at the end of a test, and its mount.
func (c *child) end(t *testing.T) {
	select {
	case <-c.done:
		return
	default:
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(20 * time.Second):
		_ = c.Process.Kill()
		<-c.done
		t.Errorf("the server did not stop: %s", c.err.String())
	}
}

// exit waits for the end and returns the exit code, -1 for a signal.
func (c *child) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(30 * time.Second):
		t.Fatalf("still running; stderr: %s", c.err.String())
	}
	return c.ProcessState.ExitCode()
}

// ready waits until the server has logged that it is ready and printed how to use it. These are two pipes: what is in one says nothing about the other.
func (c *child) ready(t *testing.T) {
	t.Helper()
	waitFor(t, "a server that is ready", func() bool {
		select {
		case <-c.done:
			t.Fatalf("the server ended with %d: %s", c.ProcessState.ExitCode(), c.err.String())
		default:
		}
		return strings.Contains(c.err.String(), "msg=ready") && strings.Contains(c.out.String(), "tote is ready")
	})
}

// waitFor polls until ok; it fails the test after a time that no healthy machine needs.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(until) {
			t.Fatal("no " + what)
		}
	}
}

// freeAddr is an address that nobody listens on right now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// mode is the permission bits of a file.
func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Mode().Perm()
}
