package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"tote/fs/fusefs"
)

func umountCommand() *cli.Command {
	return &cli.Command{
		Name:      "umount",
		Usage:     "unmount, after everything written was committed",
		ArgsUsage: "[DIR]",
		Description: fmt.Sprintf("Asks the server that has DIR, or the data directory of --data, mounted. The server goes on serving HTTP. Programs\n"+
			"that still use the mount when --timeout is over lose it, after what they wrote was committed: exit code %d. Files that\n"+
			"wait for their upload (--writeback) are waited for in the same time; what is left then goes on by itself: exit code %d.\n"+
			"When the server does not answer the kernel is asked, and leaves a mount that is in use. A mount whose server is gone\n"+
			"is removed.", exitBusy, exitWaiting),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Usage: "unmount whatever the server on data directory `DIR` has mounted", EnvVars: env("data")},
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "how long to wait"},
		},
		Action: runUmount,
	}
}

func runUmount(c *cli.Context) error {
	if err := argCount(c, 0, 1, "DIR | --data DIR"); err != nil {
		return err
	}
	timeout := c.Duration("timeout")
	if timeout <= 0 {
		return usagef("--timeout %v: want a time above zero", timeout)
	}
	ctx, cancel := context.WithTimeout(c.Context, timeout+5*time.Second) // the server's own limit comes first
	defer cancel()
	var done string
	var err error
	bar := newMeter(c.App.ErrWriter)
	out := output{Progress: bar.show}
	if c.Args().Present() {
		done, err = umountDir(ctx, c.Args().First(), c.String("data"), timeout, out)
	} else {
		done, err = umountData(ctx, c.String("data"), timeout, out)
	}
	if bar.end(); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "unmounted %s\n", done)
	return nil
}

// umountData ends whatever the server on a data directory has mounted.
func umountData(ctx context.Context, data string, timeout time.Duration, out output) (string, error) {
	if data == "" {
		return "", usagef("usage: tote umount DIR | --data DIR")
	}
	data, err := filepath.Abs(data)
	if err != nil {
		return "", err
	}
	conn, err := dialAdmin(data)
	if err != nil {
		return "", fmt.Errorf("no server runs on %s: %w", data, cause(listenCause(err)))
	}
	conn.Close()
	var u umounted
	err = newRemote(data).call(ctx, "umount", umountArgs{timeout}, &u, out)
	if err == nil && u.Dir == "" {
		err = fmt.Errorf("the server on %s has nothing mounted", data)
	}
	return u.Dir, err
}

// umountDir ends the mount on dir: through its server when that is found, else from outside.
func umountDir(ctx context.Context, dir, data string, timeout time.Duration, out output) (string, error) {
	dir, err := realPath(dir)
	if err != nil {
		return "", err
	}
	m, ok := mountAt(dir)
	if !ok {
		return "", failf(exitMount, "nothing is mounted on %s", dir)
	}
	if m.fstype != "fuse."+mountType {
		return "", failf(exitMount, "the mount on %s is not tote's (it is %s)", dir, m.fstype)
	}
	if owner := serverOf(ctx, dir, m.source, data, "data"); owner != "" {
		return umountData(ctx, owner, timeout, out)
	}
	return dir, fusermount(ctx, dir, fusefs.Dead(dir))
}

// realPath follows symlinks, as the mount table does, without touching the last component: it may be a dead mount.
func realPath(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", fmt.Errorf("%s: %w", dir, cause(err))
	}
	path := filepath.Join(parent, filepath.Base(abs))
	if fi, err := os.Lstat(path); err == nil && fi.Mode()&os.ModeSymlink != 0 {
		return filepath.EvalSymlinks(path)
	}
	return path, nil
}

// serverOf returns the first of the data directories whose server has dir mounted, or "". Asking takes no time when nobody listens.
func serverOf(ctx context.Context, dir string, candidates ...string) string {
	for _, data := range candidates {
		data, err := filepath.Abs(data)
		if err != nil {
			continue
		}
		conn, err := dialAdmin(data)
		if err != nil {
			continue
		}
		conn.Close()
		var r statusReport
		if err := newRemote(data).call(ctx, "status", struct{}{}, &r, output{}); err == nil && r.Mount == dir {
			return data
		}
	}
	return ""
}
