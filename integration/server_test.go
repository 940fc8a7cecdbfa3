package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tote/objstore/s3store/s3test"
)

const (
	adminUser     = "admin"
	adminPassword = "correct horse battery"
	startLimit    = 30 * time.Second
	stopLimit     = 30 * time.Second
)

// server is one tote with its data directory, mount point and address, which stay the same over restarts.
type server struct {
	t      testing.TB
	data   string
	mnt    string // "" when it does not mount
	base   string // http://127.0.0.1:port
	args   []string
	log    string // file with everything it printed
	client *http.Client
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
	err    error         // of cmd, valid after exited
	quiet  bool          // errors in the log are expected
	wrap   []string      // the program that starts it, with arguments
	unsafe bool          // no check of data and log at the end: the test does its own

	env     []string        // beside this process's own, for the server and for commands
	gateway *s3test.Gateway // where the objects are; nil is the embedded store
	prefix  string          // below which they are in the bucket
}

// option changes how a server is started.
type option func(*server)

// withArgs adds flags.
func withArgs(args ...string) option { return func(s *server) { s.args = append(s.args, args...) } }

// withData uses a data directory that exists already.
func withData(dir string) option { return func(s *server) { s.data = dir } }

// withErrors expects errors in the log.
func withErrors() option { return func(s *server) { s.quiet = true } }

// startServer starts a server and waits until it is ready. The test's cleanup stops and checks it.
func startServer(t testing.TB, opts ...option) *server {
	t.Helper()
	skipEmbedded(t)
	dir := tempDir(t)
	s := &server{t: t, data: filepath.Join(dir, "data"), mnt: filepath.Join(dir, "mnt"), log: filepath.Join(dir, "log")}
	s.env = []string{"TOTE_ADMIN_PASSWORD=" + adminPassword}
	for _, o := range opts {
		o(s)
	}
	s.useStore()
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}, Timeout: 2 * time.Minute}
	addr := freeAddr(t)
	s.base = "http://" + addr
	s.args = append([]string{"serve", "--data", s.data, "--listen", addr, "--log-level", "warn"}, s.args...)
	if s.mnt != "" {
		needFUSE(t)
		check(t, os.MkdirAll(s.mnt, 0o755))
		s.args = append(s.args, "--mount", s.mnt)
	}
	t.Cleanup(s.finish)
	s.start()
	return s
}

// freeAddr finds a port nobody listens on. The kernel does not give it out again soon.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

// start runs the same command as every time before and waits until the server is ready.
func (s *server) start() {
	s.t.Helper()
	s.launch()
	s.waitReady()
}

// launch only starts the process.
func (s *server) launch() {
	s.t.Helper()
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(s.t, err)
	defer out.Close()
	s.cmd = s.program()
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	check(s.t, start(s.cmd))
	s.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		s.err = cmd.Wait()
		close(exited)
	}(s.cmd, s.exited)
}

func (s *server) waitReady() {
	s.t.Helper()
	eventually(s.t, startLimit, func() error {
		select {
		case <-s.exited:
			s.t.Fatalf("the server ended at once: %v\n%s", s.err, s.logTail())
		default:
		}
		resp, err := s.client.Get(s.base + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
}

// running tells whether the process lives.
func (s *server) running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// kill is kill -9. It returns when the process is gone.
func (s *server) kill() {
	s.t.Helper()
	check(s.t, s.cmd.Process.Kill())
	<-s.exited
	s.client.CloseIdleConnections()
	var exit *exec.ExitError
	if !errors.As(s.err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		s.t.Fatalf("the server was not killed, it ended with %v\n%s", s.err, s.logTail())
	}
}

// stop ends the server as Ctrl-C does and wants it to end well, with nothing left mounted or staged.
func (s *server) stop() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	check(s.t, s.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-s.exited:
	case <-time.After(stopLimit):
		s.cmd.Process.Signal(syscall.SIGQUIT) // for the stacks in the log
		<-s.exited
		s.t.Errorf("the server did not stop within %v\n%s", stopLimit, s.logTail())
	}
	if s.err != nil {
		s.t.Errorf("the server stopped with %v\n%s", s.err, s.logTail())
	}
	if s.mnt != "" && mounted(s.mnt) {
		s.t.Errorf("%s is still mounted", s.mnt)
	}
	s.checkStaging()
}

// finish is the end of every server: stop it, look at its log and its data, and take away what is left in any case.
func (s *server) finish() {
	defer s.clean()
	if s.running() {
		s.stop()
	}
	if s.t.Failed() {
		s.t.Logf("end of the server's log:\n%s", s.logTail())
	}
	if s.unsafe || s.t.Skipped() || s.cmd == nil {
		return
	}
	s.checkLog()
	s.fsck()
}

func (s *server) clean() {
	if s.running() {
		s.cmd.Process.Kill()
		<-s.exited
	}
	for s.mnt != "" && mounted(s.mnt) {
		if err := syscall.Unmount(s.mnt, 2 /* MNT_DETACH */); err != nil {
			s.t.Errorf("unmount %s: %v", s.mnt, err)
			return
		}
	}
}

func mounted(dir string) bool {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	return strings.Contains(string(b), " "+dir+" ")
}

var badLine = regexp.MustCompile(`(?m)^.*(level=ERROR|panic:|DATA RACE|fatal error:).*$`)

// checkLog wants no error in the log: whatever a client did, an error there is one of the server's own.
func (s *server) checkLog() {
	s.t.Helper()
	b, _ := os.ReadFile(s.log)
	for _, line := range badLine.FindAllString(string(b), 5) {
		if s.quiet && strings.Contains(line, "level=ERROR") && !strings.Contains(line, "panic") {
			continue
		}
		s.t.Errorf("in the server's log: %s", line[:min(len(line), 500)])
	}
}

func (s *server) logTail() string {
	b, _ := os.ReadFile(s.log)
	return tail(string(b), 2500)
}

// checkStaging wants no file of an unfinished write.
func (s *server) checkStaging() {
	s.t.Helper()
	if names := s.staged(); len(names) > 0 {
		s.t.Errorf("staging holds %d files: %.5q", len(names), names)
	}
}

// staged lists the files in staging. Directories are part of its layout, and pieces of uploads are kept for a day, also those of a list that was
// stored an instant before the server was killed.
func (s *server) staged() (names []string) {
	root := filepath.Join(s.data, "staging")
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		name := strings.TrimPrefix(path, root+"/")
		if err == nil && !d.IsDir() && !strings.HasPrefix(name, "pieces/") {
			names = append(names, name)
		}
		return nil // files go while we look
	})
	return names
}

// tote runs a command of the program and returns its output and exit code.
func (s *server) tote(args ...string) (string, int) {
	s.t.Helper()
	return runTote(s.t, s.env, args...)
}

func runTote(t testing.TB, env []string, args ...string) (string, int) {
	t.Helper()
	// A test's context has ended when its cleanups run.
	out, err := tryWith(context.Background(), env, "", shared.tote, args...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("tote %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if exit != nil {
		return out, exit.ExitCode()
	}
	return out, 0
}

// fsckReport and gcReport are what the commands print with --json.
type fsckReport struct {
	Versions int64
	Objects  int64
	Bytes    int64
	Problems int64
	Found    []string
}

type gcReport struct {
	Objects, Orphans, Uploads int
	Bytes                     int64
}

// fsck checks everything, checksums too, and wants no problem.
func (s *server) fsck() (r fsckReport) {
	s.t.Helper()
	s.json(&r, "fsck", "--deep", "--json", "--data", s.data)
	if r.Problems != 0 {
		s.t.Errorf("fsck found %d problems:\n  %s", r.Problems, strings.Join(r.Found, "\n  "))
	}
	return r
}

// gc collects everything that may go, without waiting for the grace time.
func (s *server) gc() (r gcReport) {
	s.t.Helper()
	s.json(&r, "gc", "--now", "--json", "--data", s.data)
	return r
}

func (s *server) json(to any, args ...string) {
	s.t.Helper()
	out, code := s.tote(args...)
	start := strings.IndexByte(out, '{')
	if start < 0 || json.NewDecoder(strings.NewReader(out[start:])).Decode(to) != nil {
		s.t.Fatalf("tote %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
}

// objects lists the objects of the store: their files, or their keys.
func (s *server) objects() (files []string) {
	s.t.Helper()
	if s.gateway != nil {
		return s.objectKeys()
	}
	root := filepath.Join(s.data, "objects")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		files = append(files, rel)
		return err
	})
	check(s.t, err)
	return files
}

// memoryPeak is the most memory the server ever had resident, in bytes.
func (s *server) memoryPeak() int64 {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	check(s.t, err)
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		s.t.Fatal("no VmHWM in /proc")
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	check(s.t, err)
	return n << 10
}

// What the server may have resident, whatever goes through it. With a remote store parts of uploads and read-ahead are in memory, too.
const (
	memoryLimit   = 150 << 20
	memoryLimitS3 = 256 << 20
)

func (s *server) checkMemory() {
	s.t.Helper()
	peak := s.memoryPeak()
	s.t.Logf("memory: at most %d MiB", peak>>20)
	limit := int64(memoryLimit)
	if s.gateway != nil {
		limit = memoryLimitS3
	}
	if peak > limit && len(raceFlags) == 0 {
		s.t.Errorf("the server used %d MiB, limit %d MiB", peak>>20, limit>>20)
	}
}
