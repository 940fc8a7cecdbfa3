package storetest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"tote/objstore"
)

// Trace is a store that records the calls it passes on, in the order they begin.
type Trace struct {
	decorator

	mu    sync.Mutex
	lines []string // guarded by mu
}

// NewTrace records the calls to a store.
func NewTrace(inner objstore.Store) *Trace {
	t := &Trace{}
	t.decorator = decorator{inner: inner, judge: func(_ context.Context, c Call) verdict {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.lines = append(t.lines, c.String())
		return pass()
	}}
	return t
}

// Lines returns the calls so far, one per line as "op key args". Local paths and upload ids are left out, so
// that the same story always gives the same lines.
func (t *Trace) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}

// String returns the lines as one text.
func (t *Trace) String() string {
	lines := t.Lines()
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// Reset forgets the calls so far.
func (t *Trace) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = nil
}
