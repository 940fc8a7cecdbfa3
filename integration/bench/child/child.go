package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a running server.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  string        // file with what it prints
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done

	marked int64 // most memory before MarkPeak
}

// Start starts the program argv[0], which prints into the file log. env is added to the environment.
func Start(name, log string, env []string, argv ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &Process{name: name, log: log, done: make(chan struct{}), cmd: exec.Command(argv[0], argv[1:]...)}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// pollEvery is how often something is asked that cannot report by itself.
const pollEvery = 20 * time.Millisecond

// Ready waits until up returns nil. It fails when the server ends before that, and with the last error of up when ctx ends.
func (p *Process) Ready(ctx context.Context, up func() error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := up()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended at its start: %w\n%s", p.name, errors.Join(p.err), p.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.name, err, p.Log())
		case <-tick.C:
		}
	}
}

// Said tells, as Ready wants it, whether the server has printed a word.
func (p *Process) Said(word string) func() error {
	return func() error {
		if strings.Contains(p.Log(), word) {
			return nil
		}
		return fmt.Errorf("it has not said %q", word)
	}
}

// logTail is how much of the end of a log helps a reader.
const logTail = 4 << 10

// Log is the end of what the server printed.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-logTail):])
}

// Alive returns an error when the server has ended.
func (p *Process) Alive() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s has ended: %w\n%s", p.name, errors.Join(p.err, errors.New("nobody asked it to")), p.Log())
	default:
		return nil
	}
}

// Stop asks the server to end, and ends it when it has not after the given patience. An error tells that it had to be ended.
func (p *Process) Stop(patience time.Duration) error {
	// Signals reach the very process that was started: it has not been waited for while done is open.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%s did not stop within %v and was killed\n%s", p.name, patience, p.Log())
}
