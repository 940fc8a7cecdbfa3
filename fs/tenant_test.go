package fs

import (
	"io"
	"syscall"
	"testing"
	"time"

	"tote/meta"
)

func TestRemoveTenant(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		ctx := t.Context()
		c.put("/kept", "kept")
		fill := func() *Actor {
			t.Helper()
			must(c.db.EnsureTenant(ctx, "acme", 0o755, 0, 0, meta.Durable))(t)
			a := System("acme", "dav")
			must(c.MkdirAll(ctx, a, "/d/e"))(t)
			for _, p := range []string{"/f", "/d/e/f"} {
				w := must(c.NewWriter(ctx, a, Target{Path: p}))(t)
				io.WriteString(w, "acme's")
				_, _, err := w.Commit(ctx, CommitOptions{ExpectSize: -1})
				ok(t, err)
			}
			return a
		}
		a := fill()
		must(c.AddLock(ctx, a, Lock{Path: "/d", Infinite: true, Expires: time.Now().Add(time.Hour)}, nil))(t)
		r := must(c.OpenReader(ctx, a, "/d/e/f"))(t)
		if err := c.RemoveTenant(ctx, "acme"); Errno(err) != syscall.EBUSY {
			t.Errorf("with an open file: %v", err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "acme's" {
			t.Errorf("the open file reads %q, %v", got, err)
		}
		r.Close()
		ok(t, c.RemoveTenant(ctx, "acme"))
		if _, err := c.Stat(ctx, a, "/"); Errno(err) != syscall.ENOENT {
			t.Errorf("its root: %v", err)
		}
		if err := c.RemoveTenant(ctx, "acme"); Errno(err) != syscall.ENOENT {
			t.Errorf("again: %v", err)
		}
		a = fill() // the same name is another tenant
		if list, _, err := c.List(ctx, a, "/", 0, 9); err != nil || len(list) != 2 {
			t.Errorf("the new one has %d entries, %v", len(list), err)
		}
		if got := c.get("/kept"); got != "kept" {
			t.Errorf("the other tenant reads %q", got)
		}
	})
}
