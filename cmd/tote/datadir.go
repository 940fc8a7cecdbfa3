package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// What a data directory contains.
const (
	dbFile       = "tote.db"
	lockFile     = "lock"
	socketFile   = "admin.sock"
	passwordFile = "admin-password"
	stagingDir   = "staging"
	cacheDir     = "cache"
	draftsDir    = "drafts"
)

// dataDir is a data directory that this process holds the lock of.
type dataDir struct {
	path string
	lock *os.File
}

// file names something in the directory.
func (d *dataDir) file(name string) string { return filepath.Join(d.path, name) }

// openDataDir locks DATA for this process, making it first when create is set. A directory that other users can open, or that holds
// something else, is refused unchanged.
func openDataDir(path string, create bool) (*dataDir, error) {
	if create {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, usagef("--data %s can't be created: %w", path, cause(err))
		}
	}
	if err := checkDataDir(path); err != nil {
		return nil, err
	}
	lock, err := lockDataDir(path)
	if err != nil {
		return nil, err
	}
	d := &dataDir{path, lock}
	if err := d.checkFiles(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// checkDataDir makes sure that the directory is ours alone. An empty one of our own is closed to others; one with files in it may be
// shared for a reason that only its owner knows.
func checkDataDir(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return usagef("--data %s: %w", path, cause(err))
	}
	names, err := os.ReadDir(path)
	if err != nil {
		return usagef("--data %s: %w", path, cause(err))
	}
	mine := fi.Sys().(*syscall.Stat_t).Uid == uint32(os.Geteuid()) && fi.Mode()&os.ModeSticky == 0
	loose := fi.Mode().Perm()&0o077 != 0
	switch {
	case len(names) == 0 && loose && mine:
		return os.Chmod(path, 0o700)
	case len(names) > 0 && !hasName(names, lockFile) && !hasName(names, dbFile):
		return usagef("--data %s holds other files and no %s: give an empty directory", path, dbFile)
	case loose:
		return usagef("--data %s is open to other users (mode %#o): run chmod 700 %s", path, fi.Mode().Perm(), path)
	}
	return nil
}

func hasName(entries []os.DirEntry, name string) bool {
	for _, e := range entries {
		if e.Name() == name {
			return true
		}
	}
	return false
}

// checkFiles refuses secrets that other users may read, and creates the database file closed: sqlite would take the umask's word.
func (d *dataDir) checkFiles() error {
	for _, name := range []string{dbFile, passwordFile} {
		fi, err := os.Lstat(d.file(name))
		if err != nil {
			continue
		}
		if !fi.Mode().IsRegular() {
			return usagef("%s is not a regular file", d.file(name))
		}
		if fi.Mode().Perm()&0o077 != 0 {
			return usagef("%s is open to other users (mode %#o): run chmod 600 %s", d.file(name), fi.Mode().Perm(), d.file(name))
		}
	}
	f, err := os.OpenFile(d.file(dbFile), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", d.file(dbFile), cause(err))
	}
	return f.Close()
}

// lockDataDir takes DATA/lock, or says which process has it. The kernel drops the lock with the process, so a crash leaves none.
func lockDataDir(path string) (*os.File, error) {
	name := filepath.Join(path, lockFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(inUse(path, f), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
	}
	if err := writePID(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, cause(err)), f.Close())
	}
	return f, nil
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// inUse names the holder. The file is written right after the lock is taken, so it can be empty for a moment.
func inUse(path string, f *os.File) error {
	b, _ := io.ReadAll(io.LimitReader(f, 32))
	pid := strings.TrimSpace(string(b))
	if _, err := strconv.Atoi(pid); err != nil {
		pid = "unknown"
	}
	return failf(exitInUse, "data directory %s is in use by another tote (process %s)", path, pid)
}

// Close gives the directory to the next process.
func (d *dataDir) Close() error { return d.lock.Close() }
