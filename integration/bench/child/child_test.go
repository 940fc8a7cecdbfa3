package child

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const patience = 10 * time.Second

func start(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start("sh", filepath.Join(t.TempDir(), "log"), []string{"WORD=hello"}, "/bin/sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(0) })
	return p
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestReadyAndStop(t *testing.T) {
	p := start(t, `echo "$WORD"; exec sleep 1000`)
	if err := p.Ready(deadline(t), p.Said("hello")); err != nil {
		t.Fatal(err)
	}
	if err := p.Alive(); err != nil {
		t.Error(err)
	}
	if n, err := p.Peak(); err != nil || n <= 0 {
		t.Errorf("Peak: %d, %v", n, err)
	}
	peak, _ := p.Peak()
	if now, err := p.MarkPeak(); err != nil || now <= 0 || now > peak {
		t.Errorf("MarkPeak: %d of %d, %v", now, peak, err)
	}
	if again, err := p.Peak(); err != nil || again < peak {
		t.Errorf("Peak forgot: %d, then %d, %v", peak, again, err)
	}
	if _, err := p.CPU(); err != nil {
		t.Error(err)
	}
	if err := Quiet(deadline(t), patience, p); err != nil {
		t.Error(err)
	}
	if err := p.Stop(patience); err != nil {
		t.Error(err)
	}
	if p.Alive() == nil {
		t.Error("alive after Stop")
	}
}

func TestReadySeesAnEarlyEnd(t *testing.T) {
	p := start(t, "echo no luck >&2; exit 3")
	err := p.Ready(deadline(t), func() error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("got %v", err)
	}
}

func TestReadyGivesUp(t *testing.T) {
	p := start(t, "exec sleep 1000")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	notYet := errors.New("not yet")
	if err := p.Ready(ctx, func() error { return notYet }); !errors.Is(err, notYet) {
		t.Errorf("got %v", err)
	}
}

func TestStopKillsTheDeaf(t *testing.T) {
	p := start(t, `trap "" TERM; echo deaf; exec sleep 1000`) // an ignored signal stays ignored through exec
	if err := p.Ready(deadline(t), p.Said("deaf")); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(50 * time.Millisecond); err == nil {
		t.Error("no word about the kill")
	}
}

func TestParse(t *testing.T) {
	if n, err := parsePeak("Name:\tx\nVmHWM:\t    2048 kB\n"); err != nil || n != 2<<20 {
		t.Errorf("parsePeak: %d, %v", n, err)
	}
	if _, err := parsePeak("Name:\tx\n"); err == nil {
		t.Error("parsePeak made up a number")
	}
	d, err := parseCPU("7 (a) b) S 1 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0")
	if err != nil || d != 2*time.Second {
		t.Errorf("parseCPU: %v, %v", d, err)
	}
	if _, err := parseCPU("nothing"); err == nil {
		t.Error("parseCPU made up a number")
	}
}
