package fusefs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"tote/fs"
)

// Server is a mounted tree.
type Server struct {
	m    *mount
	dir  string
	conn int           // number of the FUSE connection
	done chan struct{} // closed when the last request is served and the core has all it gets
}

// Mount mounts the tree of one tenant on dir and serves it until it is unmounted, by Unmount or by anybody else. ctx gives values only:
// the mount outlives its cancellation. dir must be an empty directory that nothing is mounted on; a mount that a killed tote left there
// is removed. As root the kernel is asked directly, anybody else needs fusermount3.
func Mount(ctx context.Context, fsys *fs.FS, dir string, o Options) (*Server, error) {
	o = o.withDefaults()
	if err := checkUser(o); err != nil {
		return nil, err
	}
	path, err := prepare(dir)
	if err != nil {
		return nil, err
	}
	m, err := newMount(ctx, fsys, o)
	if err != nil {
		return nil, err
	}
	srv, err := fuse.NewServer(m, path, o.fuseOptions(m.onPanic))
	if err != nil {
		return nil, mountError(dir, err)
	}
	s := &Server{m: m, dir: path, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		srv.Serve()
	}()
	if err := srv.WaitMount(); err != nil {
		return nil, errors.Join(mountError(dir, err), lazyUnmount(path))
	}
	if at, err := mountedAt(path); err == nil && at != nil {
		s.conn = at.minor
	}
	if fsys.Remote() {
		s.readFarAhead(o.Logger)
	}
	return s, nil
}

// farAhead is how far the kernel reads ahead of a program, in KiB. With its usual 128 the bytes of a remote store come in requests of 128 KiB, which
// cost a quarter more processor time than those of 1 MiB.
const farAhead = 2048

// readFarAhead asks the kernel for larger requests. Only root may; without it, reading works all the same.
func (s *Server) readFarAhead(log *slog.Logger) {
	path := fmt.Sprintf("/sys/class/bdi/0:%d/read_ahead_kb", s.conn)
	if err := os.WriteFile(path, []byte(strconv.Itoa(farAhead)), 0); err != nil {
		log.Debug("the kernel reads ahead no farther than usual", "error", err)
	}
}

// checkUser finds out what mount would refuse with less helpful words.
func checkUser(o Options) error {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return errors.New("there is no /dev/fuse; load the kernel module fuse or give the container that device")
	}
	if os.Geteuid() == 0 {
		return nil
	}
	if unix.Access("/dev/fuse", unix.R_OK|unix.W_OK) != nil {
		return errors.New("this user may not open /dev/fuse; ask the administrator for: chmod 666 /dev/fuse")
	}
	if _, err := exec.LookPath("fusermount3"); err != nil {
		return errors.New("only root can mount without fusermount3; install the package fuse3")
	}
	if !o.AllowOther {
		return nil
	}
	conf, _ := os.ReadFile("/etc/fuse.conf")
	for line := range strings.Lines(string(conf)) {
		if strings.TrimSpace(line) == "user_allow_other" {
			return nil
		}
	}
	return errors.New("other users can be let in only by root or with the line user_allow_other in /etc/fuse.conf")
}

func mountError(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return fmt.Errorf("the system does not allow to mount on %s: %w", dir, err)
	case errors.Is(err, syscall.ENODEV):
		return errors.New("the kernel has no FUSE; load the kernel module fuse")
	}
	return fmt.Errorf("mount on %s: %w", dir, err)
}

// Dir is the absolute path of the mount point.
func (s *Server) Dir() string { return s.dir }

// Wait returns when the tree is unmounted and everything that was written through it has been handed to the core.
func (s *Server) Wait() { <-s.done }

// Done is closed when Wait would return.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stats counts what the mount did since it was made.
type Stats struct {
	Through int64 // opens that the kernel serves from a local file
	Cached  int64 // opens that are served by this process
	Open    int   // files open now
}

// Stats counts what the mount did so far.
func (s *Server) Stats() Stats {
	return Stats{Through: s.m.io.through.Load(), Cached: s.m.io.cached.Load(), Open: len(s.m.files.list())}
}

// BusyError says that the mount had to be taken away from programs that were still using it.
type BusyError struct {
	Dir   string
	Files []string // files that were open, at most a few
	More  int      // others that were
}

func (e *BusyError) Error() string {
	s := e.Dir + " was still in use and was detached"
	if len(e.Files) > 0 {
		s += "; open files: " + strings.Join(e.Files, ", ")
	}
	if e.More > 0 {
		s += fmt.Sprintf(" and %d more", e.More)
	}
	return s
}

const (
	unmountPatience = 10 * time.Second // when ctx has no deadline
	unmountRetry    = 50 * time.Millisecond
	abortPatience   = 3 * time.Second
	busyNames       = 5
)

// Unmount takes the tree away. As long as programs use it, it waits for them until ctx ends; then what they have written is committed, the
// mount is detached, their further calls fail with ENOTCONN, and the answer is a *BusyError. It may be called again and after the tree
// was unmounted by others.
func (s *Server) Unmount(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, unmountPatience)
		defer cancel()
	}
	for {
		err := unmount(s.dir)
		switch {
		case err == nil, errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOENT):
			return s.await(ctx)
		case !errors.Is(err, syscall.EBUSY):
			return errors.Join(fmt.Errorf("unmount %s: %w", s.dir, err), s.force())
		}
		select {
		case <-s.done:
			return nil
		case <-ctx.Done():
			return s.force()
		case <-time.After(unmountRetry):
		}
	}
}

// await waits for the last requests after the mount is gone.
func (s *Server) await(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return s.force()
	}
}

// force saves what is open, detaches the mount and cuts the connection to the kernel.
func (s *Server) force() error {
	busy := s.busy()
	ctx, cancel := context.WithTimeout(s.m.base, abortPatience)
	defer cancel()
	for _, of := range s.m.files.list() {
		if err := of.h.Flush(ctx); err != nil {
			s.m.log.Error("a file that is open at unmount was not saved", "ino", of.ino, "err", err)
		}
	}
	var errs []error
	if err := forceUnmount(s.dir); err != nil && !errors.Is(err, syscall.EINVAL) {
		errs = append(errs, fmt.Errorf("detach %s: %w", s.dir, err))
	}
	s.abort()
	select {
	case <-s.done:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("programs that use %s hang until this process ends", s.dir))
	}
	return errors.Join(append(errs, busy)...)
}

// abort makes the kernel fail every call on the mount, where its control file system is mounted. It is the only way for an ordinary user, and
// if it fails, the end of this process does the same.
func (s *Server) abort() {
	if s.conn == 0 {
		return
	}
	file := fmt.Sprintf("/sys/fs/fuse/connections/%d/abort", s.conn)
	if err := os.WriteFile(file, []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.m.log.Warn("the FUSE connection could not be aborted", "file", file, "err", err)
	}
}

// busy names the files that are open.
func (s *Server) busy() *BusyError {
	e := &BusyError{Dir: s.dir}
	var inos []fs.Ino
	for _, of := range s.m.files.list() {
		inos = append(inos, of.ino)
	}
	slices.Sort(inos)
	for _, ino := range slices.Compact(inos) {
		if len(e.Files) == busyNames {
			e.More++
			continue
		}
		path, err := s.m.fs.PathOf(s.m.base, s.m.opts.Actor(0, 0), ino)
		if err != nil {
			path = fmt.Sprintf("a deleted file (inode %d)", ino)
		}
		e.Files = append(e.Files, path)
	}
	return e
}
