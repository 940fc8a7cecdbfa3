package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"tote/integration/posix"
)

// bench is what all tests share: the binary, the directory below which everything is, and the thread that starts processes.
type bench struct {
	tote  string
	root  string
	spawn chan func()
}

// shared is set once by TestMain and only read by tests.
var shared bench

func TestMain(m *testing.M) {
	posix.Child()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	root, err := os.MkdirTemp("", "tote-it-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(root)
	shared = bench{tote: filepath.Join(root, "tote"), root: root, spawn: make(chan func())}
	if err := build(shared.tote); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go spawner(shared.spawn)
	code := m.Run()
	if left := leftovers(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "left behind:\n  %s\n", strings.Join(left, "\n  "))
		return max(code, 1)
	}
	return code
}

// build compiles the program under test.
func build(to string) error {
	args := append([]string{"build", "-o", to, "-buildvcs=false"}, raceFlags...)
	cmd := exec.Command("go", append(args, "tote/cmd/tote")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build tote/cmd/tote: %w\n%s", err, out)
	}
	return nil
}

// spawner starts processes. The kernel's parent-death signal, which ends servers when this process is killed, goes out when the thread that
// started them ends, so this one never does.
func spawner(work <-chan func()) {
	runtime.LockOSThread()
	for f := range work {
		f()
	}
}

// start starts cmd from the thread that never ends.
func start(cmd *exec.Cmd) error {
	done := make(chan error)
	shared.spawn <- func() { done <- cmd.Start() }
	return <-done
}

// leftovers lists what tests did not clean up. Children and descriptors get a moment to be gone.
func leftovers() (left []string) {
	deadline := time.Now().Add(5 * time.Second)
	for {
		left = append(leftMounts(), append(leftFiles(), append(leftProcesses(), leftFDs()...)...)...)
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func leftMounts() (left []string) {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, shared.root) {
			left = append(left, "mount "+strings.TrimSpace(line))
		}
	}
	return left
}

func leftFiles() (left []string) {
	entries, _ := os.ReadDir(shared.root)
	for _, e := range entries {
		if path := filepath.Join(shared.root, e.Name()); path != shared.tote {
			left = append(left, "file "+path)
		}
	}
	return left
}

func leftProcesses() (left []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		exe, err := os.Readlink(filepath.Join(dir, "exe"))
		if err == nil && strings.HasPrefix(exe, shared.root) {
			left = append(left, "process "+filepath.Base(dir))
		}
	}
	return left
}

func leftFDs() (left []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && strings.HasPrefix(target, shared.root) {
			left = append(left, "descriptor "+e.Name()+" of "+target)
		}
	}
	return left
}

// skip skips the test, or fails it where nothing may be skipped.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("TOTE_MUST_RUN") != "" {
		t.Fatalf("must run: "+format, args...)
	}
	t.Skipf(format, args...)
}

// needTool finds a program, or skips.
func needTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		skip(t, "%s is not installed", name)
	}
	return path
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
}

func needFUSE(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		skip(t, "needs /dev/fuse: %v", err)
	}
	f.Close()
}

// soak is how long the long tests may take; 0 when nobody asked for them.
func soak(t testing.TB) time.Duration {
	t.Helper()
	v := os.Getenv("TOTE_SOAK")
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if n, nerr := strconv.Atoi(v); err != nil && nerr == nil && n > 0 {
		return time.Hour
	}
	if err != nil {
		t.Fatalf("TOTE_SOAK=%s: %v", v, err)
	}
	return d
}

// tempDir makes a directory with a short name: the admin socket's path has to fit 107 bytes.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(shared.root, "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	return dir
}

// command runs a program to its end and returns what it printed. It fails the test when the program fails.
func command(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	out, err := tryCommand(t.Context(), dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, tail(out, 4000))
	}
	return out
}

func tryCommand(ctx context.Context, dir, name string, args ...string) (string, error) {
	return tryWith(ctx, nil, dir, name, args...)
}

// tryWith is tryCommand with more in the environment.
func tryWith(ctx context.Context, env []string, dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = errors.Join(err, ctx.Err())
	}
	return string(out), err
}

// eventually polls until ok returns nil, and fails the test with its last error at the deadline.
func eventually(t testing.TB, limit time.Duration, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still not after %v: %v", limit, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
