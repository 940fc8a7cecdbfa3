package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"time"

	"tote/fs"
	"tote/meta"
)

// control is what the commands can ask of a data directory, in the server that runs on it or, without one, in the command's own process.
type control struct {
	cfg     *Config
	data    *dataDir
	db      *meta.DB
	core    *core     // nil when a command opened the database only
	started time.Time // zero when no server runs

	mu    sync.Mutex
	mount *mountFace // nil while nothing is mounted; guarded by mu

	umounts sync.WaitGroup // commands that end the mount and then wait for uploads
}

func (c *control) setMount(m *mountFace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mount = m
}

// mounted returns the mount that is there now, or nil.
func (c *control) mounted() *mountFace {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mount == nil || c.mount.gone() {
		return nil
	}
	return c.mount
}

// commands is the table behind the admin socket.
func (c *control) commands() map[string]command {
	return map[string]command{
		"status":      handle(c.status),
		"gc":          handle(c.gc),
		"fsck":        handle(c.fsck),
		"import":      handle(c.importObjects),
		"umount":      handle(c.umount),
		"user-list":   handle(c.listUsers),
		"user-add":    handle(c.addUser),
		"user-change": handle(c.changeUser),
		"user-remove": handle(c.removeUser),

		"lock-list":     handle(c.listLocks),
		"lock-remove":   handle(c.removeLock),
		"client-list":   handle(c.listClients),
		"client-add":    handle(c.addClient),
		"client-remove": handle(c.removeClient),
		"tenant-set":    handle(c.setTenant),
		"tenant-list":   handle(c.listTenants),
		"tenant-add":    handle(c.addTenant),
		"tenant-remove": handle(c.removeTenant),
	}
}

// statusReport is what "tote status" prints.
type statusReport struct {
	Running   bool             `json:"running"`
	Version   string           `json:"version,omitempty"`
	PID       int              `json:"pid,omitempty"`
	Started   *time.Time       `json:"started,omitempty"`
	Data      string           `json:"data"`
	Store     storeReport      `json:"store"`
	Cache     *cacheReport     `json:"cache,omitempty"`
	Listen    string           `json:"listen,omitempty"`
	Mount     string           `json:"mount,omitempty"`
	Tenants   []tenantUsage    `json:"tenants"`
	Versions  map[string]int64 `json:"versions"`
	Deletions int64            `json:"pendingDeletions"`
	Uploads   int64            `json:"openUploads"`
	Waiting   []fs.Transfer    `json:"waiting"` // files on their way to a remote store
	Open      int64            `json:"openFiles"`
	Staged    int64            `json:"stagedFiles"`
	Database  int64            `json:"databaseBytes"`
	Memory    uint64           `json:"memoryBytes,omitempty"`
}

type tenantUsage struct {
	Name  string `json:"name"`
	Files int64  `json:"files"`
	Bytes int64  `json:"bytes"`
}

var stateNames = map[meta.State]string{
	meta.StateStaged: "staged", meta.StateStored: "stored", meta.StateRedo: "redo", meta.StateGone: "replaced",
}

func (c *control) status(ctx context.Context, _ struct{}, _ output) (*statusReport, error) {
	st, err := c.db.Stats(ctx)
	if err != nil {
		return nil, err
	}
	r := &statusReport{
		Data: c.data.path, Versions: map[string]int64{}, Deletions: st.Intents, Uploads: st.Uploads, Database: st.Bytes,
	}
	for state, n := range st.Versions {
		r.Versions[stateNames[state]] = n
	}
	if r.Tenants, err = c.usage(ctx); err != nil {
		return nil, err
	}
	if r.Store, err = c.storeReport(ctx); err != nil {
		return nil, err
	}
	if c.core != nil {
		f, err := c.core.fs.Status(ctx)
		if err != nil {
			return nil, err
		}
		r.Open, r.Staged = f.Open, f.Staged
		r.Cache = newCacheReport(c.core.cache)
	}
	if r.Waiting, err = c.waiting(ctx); err != nil {
		return nil, err
	}
	c.addRunning(r)
	return r, nil
}

func (c *control) usage(ctx context.Context) ([]tenantUsage, error) {
	tenants, err := c.db.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	list := []tenantUsage{}
	for _, t := range tenants {
		u, err := c.db.Usage(ctx, t.ID)
		if err != nil {
			return nil, err
		}
		list = append(list, tenantUsage{t.Name, u.Files, u.Bytes})
	}
	return list, nil
}

// addRunning adds what only a server knows.
func (c *control) addRunning(r *statusReport) {
	if c.started.IsZero() {
		return
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	r.Running, r.Version, r.PID, r.Memory = true, buildVersion().String(), os.Getpid(), mem.Sys-mem.HeapReleased
	r.Started = &c.started
	if c.cfg.HTTP() {
		r.Listen = c.cfg.Listen
	}
	if m := c.mounted(); m != nil {
		r.Mount = m.dir
	}
}

type gcArgs struct {
	Now bool `json:"now"`
}

func (c *control) gc(ctx context.Context, a gcArgs, _ output) (fs.GCReport, error) {
	return c.core.gc(ctx, a.Now)
}

type fsckArgs struct {
	Deep bool `json:"deep"`
}

func (c *control) fsck(ctx context.Context, a fsckArgs, out output) (fs.FsckReport, error) {
	due := newPace(progressEvery)
	o := fs.FsckOptions{Deep: a.Deep, Progress: func(done, total int64) {
		if done == total || due() {
			out.progress(progress{What: "checking", Done: done, Total: total})
		}
	}}
	return c.core.fs.Fsck(ctx, o, out.line)
}

type umountArgs struct {
	Timeout time.Duration `json:"timeout"`
}

type umounted struct {
	Dir string `json:"dir"` // "" when nothing was mounted
}

// umount ends the mount and waits for what was closed on it to reach the store, as long as a.Timeout allows both together.
func (c *control) umount(ctx context.Context, a umountArgs, out output) (umounted, error) {
	c.umounts.Add(1)
	defer c.umounts.Done()
	m := c.mounted()
	if m == nil {
		return umounted{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	err := m.Unmount(ctx)
	return umounted{m.dir}, errors.Join(err, drain(ctx, c.core.fs, out))
}

// awaitUmount lets running umount commands end, which a server that had nothing but the mount would cut off.
func (c *control) awaitUmount(ctx context.Context) {
	done := make(chan struct{})
	go func() { c.umounts.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
