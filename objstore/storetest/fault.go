package storetest

import (
	"context"
	"sync"
	"time"

	"tote/objstore"
)

// Fault is a store that makes chosen calls go wrong. With no rules it is transparent.
type Fault struct {
	decorator

	mu    sync.Mutex
	rules []*rule        // guarded by mu
	calls map[string]int // guarded by mu; by op
}

// Rule chooses calls and says what happens to them. The first rule that matches and is due decides; every rule
// that matches counts.
type Rule struct {
	Op  string // "" is any; the names are those of Call.Op
	Key string // "" is any
	Nth int    // which of the matching calls, from 1; 0 is all of them
	Do  Action
}

// Action is what happens to a call: Fail, Lose, Delay, Block, Cut, Panic.
type Action struct {
	verdict
	wait func(context.Context) error
}

type rule struct {
	Rule
	seen int
}

// Fail keeps the call from the store and returns err.
func Fail(err error) Action { return Action{verdict: verdict{before: err, cut: -1}} }

// Lose makes the call and returns err all the same, as when the answer of a server is lost.
func Lose(err error) Action { return Action{verdict: verdict{after: err, cut: -1}} }

// Cut ends the body after n bytes: the one the caller reads of Get, the one the store reads of Put and Part. A
// list ends after n entries.
func Cut(n int64) Action { return Action{verdict: verdict{cut: n}} }

// Delay holds the call back for a time, or until its context ends.
func Delay(d time.Duration) Action {
	return Action{verdict: pass(), wait: func(ctx context.Context) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// Panic panics with text.
func Panic(text string) Action {
	return Action{verdict: pass(), wait: func(context.Context) error { panic(text) }}
}

// Block holds the call back until the channel is closed, or until its context ends.
func Block(until <-chan struct{}) Action {
	return Action{verdict: pass(), wait: func(ctx context.Context) error {
		select {
		case <-until:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// NewFault puts a fault plan in front of a store.
func NewFault(inner objstore.Store, rules ...Rule) *Fault {
	f := &Fault{calls: map[string]int{}}
	f.decorator = decorator{inner: inner, judge: f.judge}
	f.Add(rules...)
	return f
}

// Add appends rules to the plan. Their counting begins here.
func (f *Fault) Add(rules ...Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range rules {
		f.rules = append(f.rules, &rule{Rule: r})
	}
}

// Clear drops all rules.
func (f *Fault) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// Calls returns how many calls of op there were, "" for all.
func (f *Fault) Calls(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op != "" {
		return f.calls[op]
	}
	sum := 0
	for _, n := range f.calls {
		sum += n
	}
	return sum
}

func (f *Fault) judge(ctx context.Context, c Call) verdict {
	a := f.choose(c)
	if a.wait == nil {
		return a.verdict
	}
	if err := a.wait(ctx); err != nil {
		return verdict{before: err}
	}
	return a.verdict
}

func (f *Fault) choose(c Call) Action {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[c.Op]++
	act := Action{verdict: pass()}
	due := false
	for _, r := range f.rules {
		if r.Op != "" && r.Op != c.Op || r.Key != "" && r.Key != c.Key {
			continue
		}
		r.seen++
		if !due && (r.Nth == 0 || r.Nth == r.seen) {
			act, due = r.Do, true
		}
	}
	return act
}
