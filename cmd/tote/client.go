package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// caller runs a command of the control table, in the running server or in this process. What it tells on its way goes to out, the result
// is decoded into result.
type caller interface {
	call(ctx context.Context, name string, args, result any, out output) error
}

// remote asks a running server over its admin socket.
type remote struct{ http http.Client }

func newRemote(data string) *remote {
	return &remote{http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return dialAdmin(data) },
	}}}
}

func (r *remote) call(ctx context.Context, name string, args, result any, out output) error {
	b, err := json.Marshal(args)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://tote/"+name, bytes.NewReader(b))
	if err != nil {
		return err
	}
	res, err := r.http.Do(req)
	if err != nil {
		return fmt.Errorf("the running server does not answer: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the running server does not know %q: it is another version", name)
	}
	return readFrames(res.Body, result, out)
}

// readFrames reads an answer to its end. One without a last frame was cut off.
func readFrames(r io.Reader, result any, out output) error {
	for dec := json.NewDecoder(r); ; {
		var f frame
		if err := dec.Decode(&f); err != nil {
			return fmt.Errorf("the running server broke off: %w", err)
		}
		switch {
		case f.Error != "":
			return failf(f.Exit, "%s", f.Error)
		case f.Result != nil:
			return json.Unmarshal(f.Result, result)
		case f.Progress != nil:
			out.progress(*f.Progress)
		default:
			out.line(f.Line)
		}
	}
}

// local runs commands in this process.
type local map[string]command

func (l local) call(ctx context.Context, name string, args, result any, out output) error {
	b, err := json.Marshal(args)
	if err != nil {
		return err
	}
	done, err := l[name](ctx, b, out)
	if err != nil {
		return err
	}
	if b, err = json.Marshal(done); err != nil {
		return err
	}
	return json.Unmarshal(b, result)
}

// needs says how much of the core a command works on when no server runs.
type needs int

const (
	needsDB   needs = iota // database only; nothing is recovered or settled
	needsCore              // object store and core too
)

// connect finds who can run commands on cfg.Data: the running server, else this process under the lock. release ends the latter.
func connect(ctx context.Context, cfg Config, n needs, log *slog.Logger) (c caller, release func() error, err error) {
	for until := time.Now().Add(2 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, derr := dialAdmin(cfg.Data)
		if derr == nil {
			conn.Close()
			return newRemote(cfg.Data), func() error { return nil }, nil
		}
		c, release, err = openLocal(ctx, cfg, n, log)
		var e *exitError
		if err == nil || !errors.As(err, &e) || e.code != exitInUse || time.Now().After(until) || ctx.Err() != nil {
			return c, release, err // a server that starts or stops has the lock and no socket for a moment
		}
	}
}

func openLocal(ctx context.Context, cfg Config, n needs, log *slog.Logger) (caller, func() error, error) {
	s := &closers{timeout: cfg.StopTimeout, log: log}
	ctl, err := openControl(ctx, cfg, n, log, s)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return local(ctl.commands()), s.Close, nil
}

func openControl(ctx context.Context, cfg Config, n needs, log *slog.Logger, s *closers) (*control, error) {
	d, err := openDataDir(cfg.Data, false)
	if err != nil {
		return nil, err
	}
	s.push("data directory", ignoreContext(d.Close))
	if n == needsDB {
		db, err := openDB(ctx, d, 0, log, s)
		return &control{cfg: &cfg, data: d, db: db}, err
	}
	c, err := openCore(ctx, &cfg, d, nil, log, s)
	if err != nil {
		return nil, err
	}
	return &control{cfg: &cfg, data: d, db: c.db, core: c}, nil
}
