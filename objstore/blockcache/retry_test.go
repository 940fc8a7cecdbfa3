package blockcache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tote/objstore"
	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

// bubbled runs a test whose pauses take no time.
func bubbled(t *testing.T, name string, fn func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, fn) })
}

// unpaused is a cache with the pauses of the real thing.
func unpaused(t testing.TB, s objstore.Store) *Cache {
	c := open(t, t.TempDir(), 1<<20, s, Options{})
	c.pause = leastPause
	return c
}

// TestRetry says how often the store is asked and what comes of it.
func TestRetry(t *testing.T) {
	down := storetest.Fail(objstore.ErrTemporary)
	for _, c := range []struct {
		name  string
		rules []storetest.Rule
		calls int
		err   error
	}{
		{"at once", nil, 1, nil},
		{"third time", []storetest.Rule{{Nth: 1, Do: down}, {Nth: 2, Do: storetest.Lose(errors.New("reset"))}}, 3, nil},
		{"cut", []storetest.Rule{{Nth: 1, Do: storetest.Cut(0)}, {Nth: 2, Do: storetest.Cut(testBlock - 1)}}, 3, nil},
		{"missing", []storetest.Rule{{Nth: 1, Do: storetest.Fail(objstore.ErrNotFound)}}, 1, objstore.ErrNotFound},
		{"changed", []storetest.Rule{{Nth: 1, Do: storetest.Fail(objstore.ErrChanged)}}, 1, objstore.ErrChanged},
		{"denied", []storetest.Rule{{Nth: 1, Do: storetest.Fail(objstore.ErrDenied)}}, 1, objstore.ErrDenied},
		{"missing later", []storetest.Rule{{Nth: 1, Do: down}, {Nth: 2, Do: storetest.Fail(objstore.ErrNotFound)}}, 2, objstore.ErrNotFound},
	} {
		bubbled(t, c.name, func(t *testing.T) {
			data, s, o := one(t, 3*testBlock)
			faulty := storetest.NewFault(s, c.rules...)
			f := unpaused(t, faulty).Open(o)
			if c.err == nil {
				reads(t, f, data, testBlock, 10)
			} else {
				isErr(t, fails(t, f, testBlock), c.err)
			}
			if n := faulty.Calls("get"); n != c.calls {
				t.Errorf("the store was asked %d times, want %d", n, c.calls)
			}
		})
	}
}

// TestRetry_Patience reads from a store that does not work any more, in several ways.
func TestRetry_Patience(t *testing.T) {
	for name, act := range map[string]storetest.Action{
		"fails": storetest.Fail(objstore.ErrTemporary), "breaks": storetest.Cut(10), "hangs": storetest.Block(nil),
	} {
		bubbled(t, name, func(t *testing.T) {
			data, s, o := one(t, 3*testBlock)
			faulty := storetest.NewFault(s, storetest.Rule{Op: "get", Do: act})
			c := unpaused(t, faulty)
			f := c.Open(o)
			start := time.Now()
			err := fails(t, f, 0)
			isErr(t, err, objstore.ErrTemporary)
			if took := time.Since(start); took != 5*time.Minute {
				t.Errorf("it took %v", took)
			}
			if !strings.HasPrefix(err.Error(), "read a at 0: ") {
				t.Errorf("the error is %q", err)
			}
			faulty.Clear()
			reads(t, f, data, 0, 2*testBlock)
		})
		bubbled(t, name+" and the reader leaves", func(t *testing.T) {
			_, s, o := one(t, 3*testBlock)
			c := unpaused(t, storetest.NewFault(s, storetest.Rule{Op: "get", Do: act}))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := c.Open(o).ReadAt(ctx, make([]byte, 2*testBlock), 0)
			isErr(t, err, context.DeadlineExceeded)
			synctest.Wait()
			if len(c.fetches)+len(c.pending) > 0 {
				t.Errorf("%d fetches go on for nobody", len(c.fetches))
			}
		})
	}
}

// TestRetry_Hole takes the store away for a minute.
func TestRetry_Hole(t *testing.T) {
	bubbled(t, "60 s", func(t *testing.T) {
		data, s, o := one(t, 3*testBlock)
		faulty := storetest.NewFault(s, storetest.Rule{Op: "get", Do: storetest.Fail(objstore.ErrTemporary)})
		f := unpaused(t, faulty).Open(o)
		start := time.Now()
		time.AfterFunc(time.Minute, faulty.Clear)
		reads(t, f, data, 0, 3*testBlock)
		if took := time.Since(start); took > time.Minute+mostPause {
			t.Errorf("it took %v", took)
		}
		if n := faulty.Calls("get"); n > 60 {
			t.Errorf("the store was asked %d times", n)
		}
	})
}

// TestRetry_Progress lets every call give one block and break: as long as there is progress, it goes on.
func TestRetry_Progress(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		data, s, o := one(t, 50*testBlock)
		trace := storetest.NewTrace(storetest.NewFault(s, storetest.Rule{Op: "get", Do: storetest.Cut(testBlock + 1)}))
		reads(t, unpaused(t, trace).Open(o), data, 0, 50*testBlock)
		for i, line := range trace.Lines() {
			if want := fmt.Sprintf("get a off=%d n=%d", i*testBlock, (50-i)*testBlock); line != want {
				t.Fatalf("call %d is %q, want %q", i, line, want)
			}
		}
	})
}

// TestCorrupt counts the tries that wrong bytes get.
func TestCorrupt(t *testing.T) {
	flip := func(body []byte) []byte { body[len(body)/2] ^= 4; return body }
	for _, c := range []struct {
		name   string
		change func(call int, off int64, body []byte) []byte
		calls  int
		err    error
	}{
		{"four times", func(n int, _ int64, b []byte) []byte {
			if n < 5 {
				return flip(b)
			}
			return b
		}, 5, nil},
		{"for good", func(_ int, _ int64, b []byte) []byte { return flip(b) }, 5, ErrCorrupt},
		{"another range", func(_ int, _ int64, b []byte) []byte { return pattern(9, len(b)) }, 5, ErrCorrupt},
		{"too long", func(_ int, _ int64, b []byte) []byte { return append(b, 0) }, 5, ErrCorrupt},
		{"too long once", func(n int, _ int64, b []byte) []byte { return append(b, make([]byte, 1/n)...) }, 2, nil},
		{"too short once", func(n int, _ int64, b []byte) []byte { return b[1/n:] }, 2, nil},
	} {
		bubbled(t, c.name, func(t *testing.T) {
			data, s, o := one(t, testBlock-5)
			d := &damaged{Store: s, change: c.change}
			f := unpaused(t, d).Open(o)
			if c.err == nil {
				reads(t, f, data, 0, testBlock-5)
			} else {
				isErr(t, fails(t, f, 7), c.err)
			}
			if d.calls != c.calls {
				t.Errorf("%d calls, want %d", d.calls, c.calls)
			}
		})
	}
}

// TestCorrupt_OneBlock damages one block of several that are fetched at once: the others can be read.
func TestCorrupt_OneBlock(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		data, s, o := one(t, 5*testBlock)
		bad := int64(2*testBlock + 17)
		d := &damaged{Store: s, change: func(_ int, off int64, b []byte) []byte {
			if off <= bad && bad < off+int64(len(b)) {
				b[bad-off] ^= 1
			}
			return b
		}}
		c := unpaused(t, d)
		f := c.Open(o)
		n, err := f.ReadAt(t.Context(), make([]byte, 5*testBlock), 0)
		isErr(t, err, ErrCorrupt)
		if n != 2*testBlock {
			t.Errorf("%d bytes came before", n)
		}
		reads(t, f, data, 0, 2*testBlock)
		reads(t, f, data, 3*testBlock, 2*testBlock)
		if got := c.Stats().Corrupt; got < mostCorrupt {
			t.Errorf("the statistics know of %d", got)
		}
	})
}

// TestMatch pins that a version is not mixed with another one.
func TestMatch(t *testing.T) {
	old, s, o := one(t, 4*testBlock)
	trace := storetest.NewTrace(s)
	c := open(t, t.TempDir(), 1<<20, trace, Options{})
	f := c.Open(o)
	reads(t, f, old, 0, 10)
	data := pattern(2, 4*testBlock)
	changed := stored(t, s, "a", data)
	reads(t, f, old, 5, 20) // what is here stays right
	trace.Reset()
	isErr(t, fails(t, f, testBlock), objstore.ErrChanged)
	if n := len(trace.Lines()); n != 1 {
		t.Errorf("%d calls for a changed object", n)
	}
	g := c.Open(changed)
	reads(t, g, data, 0, 4*testBlock)

	untagged := changed
	untagged.ETag = ""
	reads(t, c.Open(untagged), data, 0, 4*testBlock)
	untagged.Sums = nil
	reads(t, c.Open(untagged), data, 0, 4*testBlock)
}

// TestMatch_Without reads from a store that can't compare tags.
func TestMatch_Without(t *testing.T) {
	data, s, o := one(t, 4*testBlock)
	c := open(t, t.TempDir(), 1<<20, struct{ objstore.Store }{s}, Options{})
	reads(t, c.Open(o), data, 0, 4*testBlock)
}

// TestUnverified pins what is left without sums: the length.
func TestUnverified(t *testing.T) {
	data, s, o := one(t, 4*testBlock)
	o.Sums = nil
	faulty := storetest.NewFault(s, storetest.Rule{Op: "get", Nth: 1, Do: storetest.Cut(100)})
	reads(t, open(t, t.TempDir(), 1<<20, faulty, Options{}).Open(o), data, 0, 4*testBlock)
	if faulty.Calls("get") != 2 {
		t.Errorf("%d calls", faulty.Calls("get"))
	}
}

// TestNames keeps keys, versions and sums apart that look alike.
func TestNames(t *testing.T) {
	base := Object{Key: "a", ETag: "b", Size: 5, Sums: []byte("1234")}
	var ids []blockID
	for _, o := range []Object{
		base, {"ab", "", 5, base.Sums}, {"a", "", 5, base.Sums}, {"a", "b", 6, base.Sums}, {"a", "b", 5, nil},
		{"a", "b", 5, []byte("1235")}, {"b", "a", 5, base.Sums}, {"a", "4 b", 5, nil},
	} {
		ids = append(ids, newObject(o, testBlock).id(0), newObject(o, testBlock).id(1))
	}
	for i, id := range ids {
		if slices.Index(ids, id) != i {
			t.Errorf("number %d is like number %d", i, slices.Index(ids, id))
		}
		name := fileName(id, uint32(i))
		if back, crc, ok := parseName(name); !ok || back != id || crc != uint32(i) {
			t.Errorf("%s comes back as %v %v %v", name, back, crc, ok)
		}
	}
	for _, bad := range []string{"", suffix, "x" + suffix, strings.ToUpper(fileName(ids[0], 1)), fileName(ids[0], 1)[1:]} {
		if _, _, ok := parseName(bad); ok {
			t.Errorf("%q is a name", bad)
		}
	}
}

var _ objstore.MatchGetter = (*memstore.Store)(nil)
