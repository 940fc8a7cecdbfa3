package fusefs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tote/fs"
	"tote/meta"
	"tote/objstore"
	"tote/objstore/filestore"
	"tote/objstore/memstore"
)

// A process that uses its own FUSE mount can deadlock, so the tests mount in a child: the test binary itself, started with childEnv. Parent
// and child talk in lines of JSON; the child ends when its standard input does.
const childEnv = "TOTE_FUSEFS_CHILD"

func TestMain(m *testing.M) {
	if conf := os.Getenv(childEnv); conf != "" {
		if err := runChild(conf); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// config says what the child shall mount.
type config struct {
	Data, Dir     string
	Tenant        string
	Source        string
	NoPassthrough bool
	Remote        bool // objects are kept in a store that can't take over files, and that forgets them with the child
	NoXattrs      bool
	AllowOther    bool
	ReadOnly      bool
	Debug         bool
	Panics        bool   // requests of badUser panic
	User          uint32 // uid and gid of the child, 0: as the test
}

// command is a request to the child, most of them to do something as another face would.
type command struct {
	Op   string
	Path string
	To   string
	Data []byte
}

// reply is the child's answer.
type reply struct {
	Err   string
	Data  []byte
	Stats Stats
}

func runChild(conf string) error {
	unix.Umask(0)
	var c config
	if err := json.Unmarshal([]byte(conf), &c); err != nil {
		return err
	}
	ctx := context.Background()
	if c.Tenant == "" {
		c.Tenant = "rdp"
	}
	core, closeCore, err := openCore(ctx, c)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	srv, err := Mount(ctx, core, c.Dir, Options{
		Actor: c.actors(), Tenant: c.Tenant, Source: c.Source, NoPassthrough: c.NoPassthrough, NoXattrs: c.NoXattrs, AllowOther: c.AllowOther, ReadOnly: c.ReadOnly, Debug: c.Debug, Logger: log,
	})
	if err != nil {
		return errors.Join(err, closeCore())
	}
	answer(reply{})
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var cmd command
		if err := json.Unmarshal(in.Bytes(), &cmd); err != nil {
			return err
		}
		answer(obey(ctx, core, srv, c.Tenant, cmd))
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return errors.Join(srv.Unmount(ctx), closeCore())
}

// actors makes the actors of requests; nil leaves that to the mount.
func (c config) actors() func(uid, gid uint32) *fs.Actor {
	if !c.Panics {
		return nil
	}
	normal := Options{Tenant: c.Tenant}.withDefaults().Actor
	return func(uid, gid uint32) *fs.Actor {
		if uid == badUser {
			panic("boom")
		}
		return normal(uid, gid)
	}
}

func answer(r reply) {
	b, _ := json.Marshal(r)
	os.Stdout.Write(append(b, '\n'))
}

// openCore opens a core over a directory, with all it keeps there.
func openCore(ctx context.Context, c config) (*fs.FS, func() error, error) {
	dir := c.Data
	db, err := meta.Open(ctx, filepath.Join(dir, "tote.db"), meta.Options{NoSync: true})
	if err != nil {
		return nil, nil, err
	}
	for _, t := range []string{"rdp", c.Tenant} {
		if _, err := db.EnsureTenant(ctx, t, 0o755, uint32(os.Getuid()), uint32(os.Getgid()), meta.Relaxed); err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
	}
	store, closeStore, err := openStore(c)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	core, err := fs.Open(ctx, db, store, fs.Options{
		Staging: filepath.Join(dir, "staging"), PartSize: 1 << 20, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return nil, nil, errors.Join(err, closeStore(), db.Close())
	}
	return core, func() error { return errors.Join(core.Close(ctx), closeStore(), db.Close()) }, nil
}

func openStore(c config) (objstore.Store, func() error, error) {
	if c.Remote {
		return memstore.New(), func() error { return nil }, nil
	}
	store, err := filestore.New(filepath.Join(c.Data, "objects"), filestore.Options{NoSync: true})
	if err != nil {
		return nil, nil, err
	}
	return store, store.Close, nil
}

func obey(ctx context.Context, core *fs.FS, srv *Server, tenant string, c command) reply {
	a := fs.System(tenant, "dav")
	var err error
	switch c.Op {
	case "put":
		err = put(ctx, core, a, c)
	case "get":
		var b []byte
		if b, err = get(ctx, core, a, c.Path); err == nil {
			return reply{Data: b}
		}
	case "mkdir":
		_, err = core.MkdirPath(ctx, a, c.Path, nil)
	case "rm":
		err = core.RemoveAll(ctx, a, c.Path, nil)
	case "mv":
		_, err = core.Move(ctx, a, c.Path, c.To, true, nil)
	case "chmod":
		var info fs.Info
		if info, err = core.Stat(ctx, a, c.Path); err == nil {
			mode := uint32(0o600)
			_, err = core.SetAttr(ctx, a, info.Ino(), fs.SetAttr{Mode: &mode}, nil)
		}
	case "stats":
		return reply{Stats: srv.Stats()}
	case "unmount":
		ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		err = srv.Unmount(ctx)
	default:
		err = fmt.Errorf("no command %q", c.Op)
	}
	if err != nil {
		return reply{Err: err.Error()}
	}
	return reply{}
}

func put(ctx context.Context, core *fs.FS, a *fs.Actor, c command) error {
	w, err := core.NewWriter(ctx, a, fs.Target{Path: c.Path})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(c.Data); err != nil {
		return err
	}
	_, _, err = w.Commit(ctx, fs.CommitOptions{ExpectSize: -1})
	return err
}

func get(ctx context.Context, core *fs.FS, a *fs.Actor, path string) ([]byte, error) {
	r, err := core.OpenReader(ctx, a, path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// child is a mount in another process.
type child struct {
	t    *testing.T
	dir  string // mount point
	data string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs *safeBuffer
	mu   sync.Mutex
	done bool

	panics bool // and shall
}

type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// mountChild starts a child and gives it back when its mount can be used.
func mountChild(t *testing.T, c config) *child {
	t.Helper()
	ch, err := startChild(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func startChild(t *testing.T, c config) (*child, error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root here")
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Data == "" {
		c.Data = t.TempDir()
	}
	conf, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	ch := &child{t: t, dir: c.Dir, data: c.Data, errs: &safeBuffer{}, panics: c.Panics}
	ch.cmd = exec.Command(os.Args[0], "-test.run=^$")
	ch.cmd.Env = append(os.Environ(), childEnv+"="+string(conf), "GORACE=atexit_sleep_ms=0")
	ch.cmd.Stderr = ch.errs
	if c.User != 0 {
		ch.cmd.Path = ch.handOver(c)
		ch.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.User, Gid: c.User}}
	}
	if ch.in, err = ch.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := ch.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	ch.out = bufio.NewReaderSize(out, 1<<20)
	if err := ch.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ch.stop)
	var r reply
	if err := ch.read(&r); err != nil {
		ch.stop()
		return nil, errors.New(ch.errs.String())
	}
	return ch, nil
}

// handOver gives the child's directories to its user, and a copy of the test binary that the user can reach.
func (c *child) handOver(conf config) string {
	c.t.Helper()
	bin, err := os.ReadFile(os.Args[0])
	if err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(c.t.TempDir(), "child")
	if err := os.WriteFile(path, bin, 0o755); err != nil {
		c.t.Fatal(err)
	}
	for _, d := range []string{c.dir, c.data, path} {
		openTemp(c.t, filepath.Dir(d))
		if err := os.Chown(d, int(conf.User), int(conf.User)); err != nil {
			c.t.Fatal(err)
		}
	}
	return path
}

func (c *child) read(r *reply) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, r)
}

// do sends a command and waits for the answer.
func (c *child) do(cmd command) (reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := json.Marshal(cmd)
	if err != nil {
		return reply{}, err
	}
	if _, err := c.in.Write(append(b, '\n')); err != nil {
		return reply{}, err
	}
	var r reply
	if err := c.read(&r); err != nil {
		return r, fmt.Errorf("%w: %s", err, c.errs)
	}
	if r.Err != "" {
		return r, errors.New(r.Err)
	}
	return r, nil
}

// must is do for commands that can't fail.
func (c *child) must(cmd command) reply {
	c.t.Helper()
	r, err := c.do(cmd)
	if err != nil {
		c.t.Fatalf("%s %s: %v", cmd.Op, cmd.Path, err)
	}
	return r
}

// path is the place of a name on the mount.
func (c *child) path(name string) string { return filepath.Join(c.dir, name) }

// stop unmounts; a child that does not end is killed and its mount detached.
func (c *child) stop() {
	if c.done {
		return
	}
	c.done = true
	c.in.Close()
	kill := time.AfterFunc(20*time.Second, func() {
		c.cmd.Process.Signal(syscall.SIGQUIT)
		time.AfterFunc(time.Second, func() { c.cmd.Process.Kill() })
	})
	err := c.cmd.Wait()
	kill.Stop()
	if err != nil {
		unix.Unmount(c.dir, unix.MNT_DETACH)
	}
	if c.t.Failed() || err != nil {
		c.t.Logf("child: %v\n%s", err, c.errs)
	}
	if strings.Contains(c.errs.String(), "panicked") && !c.panics || strings.Contains(c.errs.String(), "DATA RACE") {
		c.t.Errorf("child: %s", c.errs)
	}
}

// kill ends the child as kill -9 does.
func (c *child) kill() {
	c.done = true
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// modes runs a test over a mount with passthrough, one without, and one over a remote store.
func modes(t *testing.T, f func(t *testing.T, c *child)) {
	for name, c := range map[string]config{
		"passthrough": {AllowOther: true}, "plain": {AllowOther: true, NoPassthrough: true}, "remote": {AllowOther: true, Remote: true},
	} {
		t.Run(name, func(t *testing.T) { f(t, mountChild(t, c)) })
	}
}
