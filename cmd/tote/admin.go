package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The admin socket speaks HTTP: POST /<command> with JSON arguments. The answer is a stream of JSON frames: any number of lines and of
// progress as the work goes on, then one result or one error.
type frame struct {
	Line     string          `json:"line,omitempty"`
	Progress *progress       `json:"progress,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    string          `json:"error,omitempty"`
	Exit     int             `json:"exit,omitempty"` // exit code that goes with Error
}

// command is one verb of the control table: arguments in, result out, lines and progress on the way.
type command func(ctx context.Context, args json.RawMessage, out output) (any, error)

// handle makes a command of a typed function.
func handle[A, R any](f func(ctx context.Context, args A, out output) (R, error)) command {
	return func(ctx context.Context, raw json.RawMessage, out output) (any, error) {
		var args A
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, usagef("bad arguments: %w", err)
		}
		return f(ctx, args, out)
	}
}

// serveAdmin listens on DATA/admin.sock. Only the user of the server can open it: it lies in a directory of mode 0700.
func (p *Program) serveAdmin() error {
	l, err := listenUnix(p.data.file(socketFile))
	if err != nil {
		return fmt.Errorf("admin socket %s: %w", p.data.file(socketFile), listenCause(err))
	}
	srv := &http.Server{Handler: adminHandler(p.control.commands()), ReadHeaderTimeout: headerTimeout, ErrorLog: httpErrors(p.Log)}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.Log.Error("the admin socket is gone", "error", err)
		}
	}()
	p.closers.push("admin socket", func(ctx context.Context) error {
		err := srv.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, srv.Close())
		}
		return err
	})
	return nil
}

// adminHandler runs the commands of the table.
func adminHandler(table map[string]command) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		run, ok := table[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok || r.Method != http.MethodPost {
			http.Error(w, "no such command", http.StatusNotFound)
			return
		}
		args, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		enc, ctl := json.NewEncoder(w), http.NewResponseController(w)
		send := func(f frame) {
			_ = enc.Encode(f) // a caller that is gone ends the context
			_ = ctl.Flush()
		}
		send(runFrame(run(r.Context(), args, output{
			Line:     func(s string) { send(frame{Line: s}) },
			Progress: func(p progress) { send(frame{Progress: &p}) },
		})))
	})
}

// runFrame is the last frame of an answer.
func runFrame(result any, err error) frame {
	if err == nil {
		var b []byte
		if b, err = json.Marshal(result); err == nil {
			return frame{Result: b}
		}
	}
	f := frame{Error: err.Error(), Exit: exitFailed}
	var e *exitError
	if errors.As(err, &e) {
		f.Exit = e.code
	}
	return f
}

// maxSocketPath is what fits into a socket address.
const maxSocketPath = 100

// listenUnix listens on a socket file for this user only, replacing one that a killed server left.
func listenUnix(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	short, release, err := shortPath(path)
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // by the short name it could hit another directory's
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &unixListener{l, path}, nil
}

// unixListener removes its file when it is closed.
type unixListener struct {
	net.Listener
	path string
}

// Close stops listening.
func (l *unixListener) Close() error {
	err := os.Remove(l.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.Listener.Close())
}

// shortPath gives a path that is too long for a socket address another name, through a descriptor of its directory.
func shortPath(path string) (short string, release func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), filepath.Base(path)), func() { d.Close() }, nil
}

// dialAdmin connects to the server of a data directory. The error is about the connection: nobody listens there.
func dialAdmin(data string) (net.Conn, error) {
	short, release, err := shortPath(filepath.Join(data, socketFile))
	if err != nil {
		return nil, err
	}
	defer release()
	return net.DialTimeout("unix", short, 5*time.Second)
}
