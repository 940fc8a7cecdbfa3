package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"tote/davserver"
	"tote/fs"
	"tote/objstore"
	"tote/restapi"
	"tote/restapi/apidoc"
)

const (
	// memoryLimit makes the garbage collector work harder before the server's memory reaches 150 MiB. GOMEMLIMIT overrides it. The collector counts
	// the ballast, which is not there.
	memoryLimit = 120<<20 + ballast

	// ballast is memory that is never touched, and so takes none. The live heap is a few MiB, so that under load the collector would run a hundred
	// times a second; with the ballast it runs when that much has been allocated beyond its usual bound. More takes memory and saves nothing.
	ballast = 4 << 20
)

// waitingThreads is how many threads may run Go beside one for each processor. Most of the server's threads are in a system call at any time: they
// wait for the kernel's next request, or for a file. Where the runtime has no room to spare it takes the place of such a thread away within
// microseconds, so that each of these calls ends with a search for a new one: a sixth of what creating a file costs. GOMAXPROCS overrides it.
const waitingThreads = 4

// Program is a running server: Run starts the faces that Config asks for and serves until its context ends or nothing is left to serve.
type Program struct {
	Config Config
	Log    *slog.Logger
	Stdout io.Writer // gets the commands to paste, once everything is up
	Ready  func()    // called then, may be nil

	closers  closers
	listener net.Listener
	data     *dataDir
	store    objstore.Store // opened before the data directory was made; else nil
	core     *core
	mount    *mountFace // nil without --mount
	control  *control
	rest     *restapi.Handler // nil without a listener
	login    *login
	password string     // file with the admin's first password, "" when there is none
	failed   chan error // from faces that ended by themselves
	ballast  []byte     // see there
}

// Run serves. What can be refused is refused before anything is created; whatever happens, everything that was started is closed again,
// last first.
func (p *Program) Run(ctx context.Context) error {
	p.closers = closers{timeout: p.Config.StopTimeout, log: p.Log}
	p.failed = make(chan error, 4)
	p.ballast = make([]byte, ballast)
	err := p.start(ctx)
	if err == nil {
		p.announce()
		err = p.wait(ctx)
	}
	return errors.Join(err, p.Close())
}

// Close ends everything that runs. Run calls it itself.
func (p *Program) Close() error { return p.closers.Close() }

func (p *Program) start(ctx context.Context) error {
	steps := []func(context.Context) error{
		p.checkMountPoint, p.listen, p.openStore, p.openData, p.openAdmin, p.openREST, p.startJobs, p.startMount, p.startHTTP,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// process sets what belongs to the whole process. Everything the server creates is for its own user only; modes of files on the mount
// are not touched by this, the kernel applies the umask of whoever creates them.
func process() {
	syscall.Umask(0o077)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + waitingThreads)
	}
}

func (p *Program) checkMountPoint(context.Context) error {
	if p.Config.Mount == "" {
		return nil
	}
	return checkMountPoint(p.Config.Mount)
}

// listen takes the address before the data directory is touched. Connections wait in the kernel until the faces are up.
func (p *Program) listen(ctx context.Context) error {
	if !p.Config.HTTP() {
		return nil
	}
	l, err := listen(ctx, &p.Config)
	if err != nil {
		return err
	}
	p.listener = l
	p.closers.push("listener", func(context.Context) error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// openStore opens the remote store of a fresh installation before anything is created, because wrong keys and a missing bucket show here. Later
// starts ask the database first whether this is its store.
func (p *Program) openStore(ctx context.Context) error {
	ref, err := parseStore(p.Config.Store, p.Config.Data)
	if err != nil || !ref.remote() {
		return err
	}
	if _, err := os.Stat(filepath.Join(p.Config.Data, dbFile)); err == nil {
		return nil
	}
	if p.store, err = openStore(ctx, &p.Config, ref, p.Log, &p.closers); err != nil {
		return err
	}
	return choice{storeRef: ref}.checkEmpty(ctx, p.store)
}

func (p *Program) openData(ctx context.Context) error {
	d, err := openDataDir(p.Config.Data, true)
	if err != nil {
		return err
	}
	p.data = d
	p.closers.push("data directory", ignoreContext(d.Close))
	if p.core, err = openCore(ctx, &p.Config, d, p.store, p.Log, &p.closers); err != nil {
		return err
	}
	p.password, err = firstUser(ctx, p.core.db, d, p.Config.AdminPassword)
	return err
}

func (p *Program) openAdmin(context.Context) error {
	p.control = &control{cfg: &p.Config, data: p.data, db: p.core.db, core: p.core, started: time.Now()}
	return p.serveAdmin()
}

func (p *Program) startJobs(context.Context) error {
	p.closers.push("uploads", p.drainUploads)
	j := newJobs(p.core, p.chores(), p.Log)
	p.closers.push("background jobs", j.Stop)
	return nil
}

// startMount mounts. The context of the start must not end the mount, its closer does.
func (p *Program) startMount(ctx context.Context) error {
	if p.Config.Mount == "" {
		return nil
	}
	if err := p.control.checkTenant(ctx, p.Config.tenant()); err != nil {
		return err
	}
	m, err := mountOn(context.WithoutCancel(ctx), p.core.fs, &p.Config, p.Log)
	if err != nil {
		return err
	}
	p.mount = m
	p.control.setMount(m)
	p.closers.push("mount "+p.Config.Mount, m.Unmount)
	return nil
}

func (p *Program) startHTTP(context.Context) error {
	if p.listener == nil {
		return nil
	}
	srv := newServer(p.site().handler(), p.Log)
	p.closers.push("http server", func(ctx context.Context) error { return stopHTTP(ctx, srv) })
	go func() {
		if err := srv.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			p.failed <- withCode(exitListen, fmt.Errorf("serve %s: %w", p.Config.Listen, err))
		}
	}()
	return nil
}

// stopHTTP lets requests finish, and cuts off those that don't.
func stopHTTP(ctx context.Context, srv *http.Server) error {
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(errors.New("requests were still running and have been cut off"), srv.Close())
	}
	return err
}

// openREST builds the REST face, and drops what the last run left of uploads that nobody can go on with.
func (p *Program) openREST(ctx context.Context) error {
	if p.listener == nil {
		return nil
	}
	key, err := signingKey(ctx, p.core.db)
	if err != nil {
		return fmt.Errorf("signing key: %w", err)
	}
	if p.login, err = newLogin(p.core.db, defaultTenant); err != nil {
		return err
	}
	stores, err := p.stores()
	if err != nil {
		return err
	}
	direct, err := newDirect(&p.Config, p.core)
	if err != nil {
		return err
	}
	p.rest = restapi.New(p.core.fs, stores, restapi.Options{
		PublicURL: p.Config.PublicURL, Tenant: defaultTenant, SigningKey: key, Logger: p.Log, MaxFile: p.Config.API.MaxFile, Direct: direct,
		TenantOptions: func(ctx context.Context, tenant string) (restapi.TenantOptions, error) {
			return tenantOptions(ctx, p.core.db, tenant)
		},
	})
	if p.Config.ReadOnly {
		return nil
	}
	return p.rest.Tidy(ctx, true)
}

// chores is the REST face for the jobs that tidy up behind its clients, nil where nothing is changed.
func (p *Program) chores() *restapi.Handler {
	if p.Config.ReadOnly {
		return nil
	}
	return p.rest
}

// maxDrafts is how many bytes all uploads in pieces may hold together.
const maxDrafts = 4 << 30

// stores lends the database to the REST face.
func (p *Program) stores() (restapi.Stores, error) {
	drafts, err := fs.OpenDrafts(p.data.file(draftsDir), maxDrafts)
	s := restapi.Stores{Drafts: drafts, Accounts: p.sessions()}
	d := documents{p.core.db}
	s.Documents, s.Objects, s.Relations, s.Events, s.Partials = d, d, d, d, d
	if p.Config.ReadOnly {
		d := frozen{d}
		s.Documents, s.Objects, s.Relations, s.Events = d, d, d, d
	}
	return s, err
}

func (p *Program) sessions() sessions {
	return sessions{login: p.login, store: p.core.db, now: time.Now}
}

// site puts the HTTP faces together.
func (p *Program) site() *site {
	return &site{
		login:     p.login,
		sessions:  p.sessions(),
		clients:   newClientLogin(p.login, p.core.db, &p.Config),
		dav:       davserver.New(p.core.fs, davserver.Options{Prefix: davPrefix, Logger: p.Log, Junk: p.Config.Junk}),
		rest:      p.rest,
		docs:      apidoc.New(),
		health:    &health{db: p.core.db, staging: p.data.file(stagingDir), mount: p.mount},
		publicURL: p.Config.PublicURL,
		log:       p.Log,
	}
}

// wait returns when the context ends, a face fails, or the mount is gone and was all there was.
func (p *Program) wait(ctx context.Context) error {
	var unmounted <-chan struct{}
	if p.mount != nil {
		unmounted = p.mount.server.Done()
	}
	for {
		select {
		case <-ctx.Done():
			p.Log.Info("stopping")
			return nil
		case err := <-p.failed:
			return err
		case <-unmounted:
			p.Log.Info("unmounted", "dir", p.Config.Mount)
			if p.listener == nil {
				p.control.awaitUmount(ctx)
				return nil
			}
			unmounted = nil
		}
	}
}
