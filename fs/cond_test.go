package fs

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestCondInTransaction: the condition of a change is decided on what is there at the instant of the change, whatever it said before.
func TestCondInTransaction(t *testing.T) {
	for _, tt := range []struct {
		name   string
		prior  int  // looks before the transaction, which the condition passes
		absent bool // the transaction finds nothing there
		do     func(c *core, cond *Cond) error
		gone   string // what must not be there after a refusal
	}{
		{"mkdir", 0, true, func(c *core, cond *Cond) error {
			_, err := c.MkdirPath(c.t.Context(), c.dav, "/new", cond)
			return err
		}, "/new"},
		{"lock", 0, false, func(c *core, cond *Cond) error {
			_, err := c.AddLock(c.t.Context(), c.dav, Lock{Path: "/a", Expires: c.Now().Add(time.Hour)}, cond)
			return err
		}, ""},
		{"lock of the root", 0, false, func(c *core, cond *Cond) error {
			_, err := c.AddLock(c.t.Context(), c.dav, Lock{Path: "/", Expires: c.Now().Add(time.Hour)}, cond)
			return err
		}, ""},
		{"lock of a free name", 0, true, func(c *core, cond *Cond) error {
			_, err := c.AddLock(c.t.Context(), c.dav, Lock{Path: "/new", Expires: c.Now().Add(time.Hour)}, cond)
			return err
		}, ""},
		{"copy", 1, false, func(c *core, cond *Cond) error {
			_, err := c.Copy(c.t.Context(), c.dav, "/a", "/new", true, true, cond)
			return err
		}, "/new"},
		{"copy onto a file", 1, false, func(c *core, cond *Cond) error {
			_, err := c.Copy(c.t.Context(), c.dav, "/a", "/b", true, true, cond)
			return err
		}, ""},
		{"copy of an open file", 1, false, func(c *core, cond *Cond) error {
			h := c.open("/a", os.O_RDONLY)
			defer h.Release()
			_, err := c.Copy(c.t.Context(), c.dav, "/a", "/new", true, true, cond)
			return err
		}, "/new"},
		{"copy of an open file onto a file", 1, false, func(c *core, cond *Cond) error {
			h := c.open("/a", os.O_RDONLY)
			defer h.Release()
			_, err := c.Copy(c.t.Context(), c.dav, "/a", "/b", true, true, cond)
			return err
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCore(t)
			c.put("/a", "a")
			c.put("/b", "b")
			looks, found := 0, false
			err := tt.do(c, &Cond{Check: func(cur *Info) error {
				looks++
				found = cur != nil
				if looks <= tt.prior {
					return nil
				}
				return ErrPrecondition
			}})
			if !errors.Is(err, ErrPrecondition) || found == tt.absent {
				t.Fatalf("after %d looks, the last one found something: %v, error %v", looks, found, err)
			}
			c.untouched(tt.gone)
			if err := tt.do(c, &Cond{Check: func(*Info) error { return nil }}); err != nil {
				t.Errorf("with a condition that holds: %v", err)
			}
		})
	}
}

// untouched tells what a refused change has left.
func (c *core) untouched(gone string) {
	c.t.Helper()
	if got := c.get("/b"); got != "b" {
		c.t.Errorf("the target holds %q", got)
	}
	if gone != "" {
		if _, err := c.Stat(c.t.Context(), c.dav, gone); Errno(err) != syscall.ENOENT {
			c.t.Errorf("%s is there: %v", gone, err)
		}
	}
	locks, err := c.LocksBelow(c.t.Context(), c.dav, "/", 10)
	top, terr := c.Locks(c.t.Context(), c.dav, "/")
	if n := len(locks) + len(top); n != 0 || err != nil || terr != nil {
		c.t.Error(fmt.Errorf("%d locks are left: %w", n, errors.Join(err, terr)))
	}
}
