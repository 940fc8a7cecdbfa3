package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tote/integration/bench/child"
	"tote/integration/bench/davop"
	"tote/integration/bench/restop"
	"tote/integration/bench/s3op"
)

// Names of the targets.
const (
	native   = "native"
	loopback = "loopback"
	dirDAV   = "dir"
	tote     = "tote"
)

// target is one of the things that are measured.
type target struct {
	name string
	dir  string                // where files are made: the directory itself or a mount of it; "" has no files
	dav  *davop.Client         // nil: no WebDAV
	peak func() (int64, error) // most memory that its server had; nil: it has none, or nobody wants to know

	rest            *restop.Client        // nil: no REST
	mark, sinceMark func() (int64, error) // begin to watch the server's memory, and the most since then

	again func(context.Context) error   // starts its server anew, without what it has cached
	cpu   func() (time.Duration, error) // processor time of its server; nil: nobody has to look
	data  string                        // directory of its server; "": nobody has to look
	keys  string                        // prefix of what it puts into the bucket; "": nobody has to look
}

// lab is a directory on the disk, and the servers that work in it.
type lab struct {
	cfg     config
	work    string // everything is in here
	source  string // the Go source tree, with -quick a part of it
	targets map[string]*target
	servers []*child.Process
	mounts  []string

	s3     s3op.Server // with -s3
	bucket *s3op.Client
}

const (
	startPatience = 30 * time.Second
	stopPatience  = 20 * time.Second
	needFree      = 20 << 30
	needFreeQuick = 4 << 30
	tmpfsMagic    = 0x01021994
)

// newLab checks what the benchmark needs and makes its directory.
func newLab(ctx context.Context, c config) (*lab, error) {
	if err := checkMachine(c); err != nil {
		return nil, err
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	work, err := os.MkdirTemp(c.dir, "tote-bench-")
	if err != nil {
		return nil, err
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src")
	if c.quick {
		source = filepath.Join(source, "net")
	}
	spread(work)
	l := &lab{cfg: c, work: work, source: source, targets: map[string]*target{}}
	for _, name := range c.suite().dirs {
		if err := os.Mkdir(l.path(name), 0o755); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	return l, nil
}

// topDir is ext4's flag for a directory whose subdirectories have nothing to do with each other (chattr +T).
const topDir = 0x20000

// spread has ext4 place the directories below dir in groups of blocks of their own. Otherwise they share one with what was deleted a moment
// ago, by an earlier benchmark perhaps, and creating a file there takes ten times as long as elsewhere: ext4 passes over inodes that were
// freed in the last minutes. Other file systems refuse, and need no such help.
func spread(dir string) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	if flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS); err == nil {
		_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags|topDir)
	}
}

func checkMachine(c config) error {
	if os.Geteuid() != 0 {
		return errors.New("only root can mount with passthrough and drop the kernel's caches: run it as root")
	}
	for _, tool := range c.suite().tools {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed", tool)
		}
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return fmt.Errorf("there is no FUSE here: %w", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(c.dir, &st); err != nil {
		return fmt.Errorf("%s: %w", c.dir, err)
	}
	need := int64(needFree)
	if c.quick {
		need = needFreeQuick
	}
	if free := int64(st.Bavail) * st.Bsize; free < need {
		return fmt.Errorf("%s has %d GiB free, %d are needed: choose another directory with -dir", c.dir, free>>30, need>>30)
	}
	if st.Type == tmpfsMagic {
		return fmt.Errorf("%s is in memory: choose a directory on a disk with -dir", c.dir)
	}
	return nil
}

func (l *lab) path(name ...string) string { return filepath.Join(append([]string{l.work}, name...)...) }

// start builds the programs and brings everything up.
func (l *lab) start(ctx context.Context) error {
	if err := l.build(ctx); err != nil {
		return err
	}
	for _, f := range l.cfg.suite().start {
		if err := f(l, ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) startNative(context.Context) error {
	l.targets[native] = &target{name: native, dir: l.path("native")}
	return nil
}

func (l *lab) build(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // the first one compiles SQLite
	defer cancel()
	packages := l.cfg.suite().programs
	if l.cfg.tote == "" {
		packages = append(packages, "tote/cmd/tote")
	}
	if len(packages) == 0 {
		return nil
	}
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", l.path("bin") + "/"}, packages...)
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// serve starts a server and waits until up is content.
func (l *lab) serve(ctx context.Context, name string, env, argv []string, up func(*child.Process) func() error) (*child.Process, error) {
	p, err := child.Start(name, l.path(name+".log"), env, argv...)
	if err != nil {
		return nil, err
	}
	l.servers = append(l.servers, p)
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	return p, p.Ready(ctx, up(p))
}

func saysReady(p *child.Process) func() error { return p.Said("ready") }

func (l *lab) startLoopback(ctx context.Context) error {
	dir := l.path("loopback")
	l.mounts = append(l.mounts, dir)
	l.targets[loopback] = &target{name: loopback, dir: dir}
	_, err := l.serve(ctx, loopback, nil, []string{l.path("bin", "loopback"), dir, l.path("below")}, saysReady)
	return err
}

func (l *lab) startDir(ctx context.Context) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	l.targets[dirDAV] = &target{name: dirDAV, dir: l.path("dav"), dav: davop.New("http://"+addr+"/dav/", "", "")}
	_, err = l.serve(ctx, dirDAV, nil, []string{l.path("bin", "davdir"), addr, l.path("dav")}, saysReady)
	return err
}

func (l *lab) startTote(ctx context.Context) error {
	t, argv, env, ready, err := l.toteServer(tote, l.path("data"), rand.Text())
	if err != nil {
		return err
	}
	p, err := l.serve(ctx, tote, env, argv, ready)
	if err == nil {
		t.peak, t.mark, t.sinceMark = p.Peak, p.MarkPeak, p.PeakSinceMark
	}
	return err
}

// toteServer makes the target of a data directory, whose admin has the password from its first start, and says how its server is started.
func (l *lab) toteServer(name, data, password string) (t *target, argv, env []string, ready func(*child.Process) func() error, err error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, nil, nil, err
	}
	binary, dir := l.cfg.tote, l.path("mnt-"+name)
	if binary == "" {
		binary = l.path("bin", "tote")
	}
	l.mounts = append(l.mounts, dir)
	t = &target{name: name, dir: dir, dav: davop.New("http://"+addr+"/dav/", "admin", password), rest: restop.New("http://"+addr, "admin", password)}
	l.targets[name] = t
	argv = []string{binary, "serve", "--data", data, "--mount", dir, "--listen", addr, "--log-level", "warn"}
	ready = func(*child.Process) func() error { return func() error { return probe("http://" + addr + "/readyz") } }
	return t, argv, []string{"TOTE_ADMIN_PASSWORD=" + password}, ready, nil
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr() (string, error) {
	s, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = s.Close() }()
	return s.Addr().String(), nil
}

func probe(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return nil
}

// alive returns an error when a server has ended by itself.
func (l *lab) alive() error {
	for _, p := range l.servers {
		if err := p.Alive(); err != nil {
			return err
		}
	}
	return nil
}

// close stops the servers, last first, takes away what they left mounted, and removes the directory.
func (l *lab) close() error {
	var errs []error
	for _, t := range l.targets {
		if t.dav != nil {
			t.dav.Close()
		}
		if t.rest != nil {
			t.rest.Close()
		}
	}
	if l.bucket != nil {
		l.bucket.Close()
	}
	for i := len(l.servers) - 1; i >= 0; i-- {
		errs = append(errs, l.servers[i].Stop(stopPatience))
	}
	for _, dir := range l.mounts {
		// A server that stopped in order has unmounted: then there is nothing here, which is EINVAL.
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil && err != unix.EINVAL {
			return errors.Join(append(errs, fmt.Errorf("unmount %s: %w; its files are left in %s", dir, err, l.work))...)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(l.work))...)
}
