package fusefs

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// ear is a kernel that writes down what it is told.
type ear struct {
	mu      sync.Mutex
	heard   []string
	unknown bool          // of no node
	hang    chan struct{} // blocks until closed
}

func (e *ear) InodeNotify(node uint64, off, length int64) fuse.Status {
	return e.hear(fmt.Sprintf("inode %x %d %d", node, off, length))
}

func (e *ear) EntryNotify(parent uint64, name string) fuse.Status {
	return e.hear(fmt.Sprintf("entry %x %s", parent, name))
}

func (e *ear) hear(s string) fuse.Status {
	if e.hang != nil {
		<-e.hang
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, s)
	if e.unknown {
		return fuse.ENOENT
	}
	return fuse.OK
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

func listening(e *ear, log *slog.Logger) *mount {
	m := &mount{log: log}
	m.nodes.root = 1
	m.inval.init(m)
	m.inval.kernel = e
	return m
}

func TestEventsReachTheKernel(t *testing.T) {
	const moved = "1000000000007" // node 7 in its first new generation
	for _, c := range []struct {
		name  string
		event fs.Event
		want  []string
	}{
		{"content", fs.Event{Ino: 5, Content: true, Attrs: true}, []string{"inode 5 0 -1"}},
		{"attributes", fs.Event{Ino: 5, Attrs: true}, []string{"inode 5 -1 0"}},
		{"every node of a file", fs.Event{Ino: 7, Content: true}, []string{"inode 7 0 -1", "inode " + moved + " 0 -1"}},
		{"entry", fs.Event{Ino: 5, Entry: true, Parent: 2, Name: "n"}, []string{"inode 2 -1 0", "entry 2 n"}},
		{"rename", fs.Event{Entry: true, Parent: 3, Name: "new", OldParent: 2, OldName: "old"},
			[]string{"inode 3 -1 0", "entry 3 new", "inode 2 -1 0", "entry 2 old"}},
		{"our own", fs.Event{Ino: 5, Content: true, Origin: origin}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &ear{}
			m := listening(e, slog.New(slog.DiscardHandler))
			m.nodes.move(7)
			m.io.contents.set(5, 9)
			since := m.inval.mark()
			m.inval.event(c.event)
			if got := e.all(); !slices.Equal(got, c.want) {
				t.Errorf("the kernel heard %q, want %q", got, c.want)
			}
			if foreign := c.want != nil; m.inval.quietSince(since) == foreign || m.inval.busy() != foreign {
				t.Error("answers that are under way do not notice")
			}
			if c.event.Content && c.event.Ino == 5 && m.io.contents.is(5, 9) != (c.want == nil) {
				t.Error("the memory of the page cache is wrong")
			}
		})
	}
}

func TestUnknownNodesAreToldAgain(t *testing.T) {
	e := &ear{unknown: true}
	m := listening(e, slog.New(slog.DiscardHandler))
	m.inval.event(fs.Event{Ino: 5, Content: true})
	if n := len(e.all()); n != 1 {
		t.Fatalf("told %d times", n)
	}
	deadline := time.Now().Add(5 * time.Second)
	for len(e.all()) < 2 && time.Now().Before(deadline) {
		time.Sleep(notifyAgain / 10)
	}
	if n := len(e.all()); n != 2 {
		t.Errorf("told %d times", n)
	}
}

func TestAHangingKernelDelaysNobodyForLong(t *testing.T) {
	var log bytes.Buffer
	e := &ear{hang: make(chan struct{})}
	m := listening(e, slog.New(slog.NewTextHandler(&log, nil)))
	m.inval.patience = 5 * time.Millisecond
	start := time.Now()
	for range notifyMax + 3 {
		m.inval.event(fs.Event{Ino: 5, Content: true})
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if !strings.Contains(log.String(), "slow to forget") || !strings.Contains(log.String(), "does not take notifications") {
		t.Errorf("log: %s", &log)
	}
	close(e.hang)
	for range notifyMax { // every notification ends
		m.inval.running <- struct{}{}
	}
	if n := len(e.all()); n != notifyMax {
		t.Errorf("%d notifications arrived", n)
	}
}

func TestPanicIsEIO(t *testing.T) {
	var log bytes.Buffer
	m := listening(&ear{}, slog.New(slog.NewTextHandler(&log, nil)))
	if s := m.onPanic("oh"); s != fuse.EIO {
		t.Errorf("%v", s)
	}
	if !strings.Contains(log.String(), "oh") || !strings.Contains(log.String(), "TestPanicIsEIO") {
		t.Errorf("log: %s", &log)
	}
}
