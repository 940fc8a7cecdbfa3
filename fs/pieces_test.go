package fs

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// addPiece stores a piece for an hour.
func addPiece(t testing.TB, f *FS, group, name, text string) error {
	t.Helper()
	w, err := f.NewPiece(t.Context(), System("rdp", "test"), group, name)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return w.Commit(f.Now().Add(time.Hour), 100)
}

// groupOf reads all pieces of a group.
func groupOf(t testing.TB, f *FS, tenant, group string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := f.UsePieces(t.Context(), System(tenant, "test"), group, func(p *Pieces) (bool, error) {
		for _, i := range p.All() {
			file, err := p.Open(i.Name)
			if err != nil {
				return false, err
			}
			data, err := io.ReadAll(file)
			file.Close()
			if n, ok := p.Size(i.Name); err != nil || !ok || n != int64(len(data)) || n != i.Size {
				return false, fmt.Errorf("%s has %d bytes, want %d: %w", i.Name, len(data), n, err)
			}
			got[i.Name] = string(data)
		}
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantGroup(t testing.TB, f *FS, group string, want ...string) {
	t.Helper()
	var got []string
	for name, text := range groupOf(t, f, "rdp", group) {
		got = append(got, name+"="+text)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", group, got, want)
	}
}

func TestPieces(t *testing.T) {
	c := newCore(t)
	for _, p := range [][2]string{{"a", "one"}, {"b/../\x00", "two"}, {"a", "three"}} {
		if err := addPiece(t, c.FS, "g", p[0], p[1]); err != nil {
			t.Fatal(err)
		}
	}
	wantGroup(t, c.FS, "g", "a=three", "b/../\x00=two")
	wantGroup(t, c.FS, "other")
	if n := c.staging.bytes.Load(); n != 8 {
		t.Errorf("%d bytes are held, want 8", n)
	}
	if got := must(c.db.EnsureTenant(t.Context(), "acme", 0o755, 0, 0, 0))(t); got.Name != "acme" {
		t.Fatal(got)
	}
	if got := groupOf(t, c.FS, "acme", "g"); len(got) != 0 {
		t.Errorf("another tenant sees %v", got)
	}
	err := c.UsePieces(t.Context(), System("rdp", "test"), "g", func(p *Pieces) (bool, error) { return true, io.ErrUnexpectedEOF })
	if err != io.ErrUnexpectedEOF {
		t.Errorf("the error of the user became %v", err)
	}
	wantGroup(t, c.FS, "g")
	if n := c.staging.bytes.Load(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

func TestPieces_Refused(t *testing.T) {
	c := newCore(t)
	reader := &Actor{Tenant: "rdp", User: "u", Roles: []string{RoleReader}}
	if _, err := c.NewPiece(t.Context(), reader, "g", "a"); Errno(err) != syscall.EACCES {
		t.Errorf("a reader may: %v", err)
	}
	for _, name := range []string{"", string(make([]byte, 181))} {
		if err := addPiece(t, c.FS, "g", name, "x"); Errno(err) != syscall.ENAMETOOLONG {
			t.Errorf("%d bytes of name: %v", len(name), err)
		}
	}
	if _, err := c.NewPiece(t.Context(), System("none", "test"), "g", "a"); Errno(err) != syscall.ENOENT {
		t.Errorf("no tenant: %v", err)
	}
	for i := range 100 {
		if err := addPiece(t, c.FS, "g", fmt.Sprint(i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := addPiece(t, c.FS, "g", "one too many", "x"); Errno(err) != syscall.E2BIG {
		t.Errorf("no limit: %v", err)
	}
	if err := addPiece(t, c.FS, "g", "7", "again"); err != nil {
		t.Errorf("replacing counts: %v", err)
	}
}

// What is not committed leaves nothing, what is outlives the process and not its time.
func TestPieces_RestartAndExpiry(t *testing.T) {
	c := newCore(t)
	w := must(c.NewPiece(t.Context(), System("rdp", "test"), "g", "cut"))(t)
	io.WriteString(w, "half")
	if err := addPiece(t, c.FS, "g", "a", "one"); err != nil {
		t.Fatal(err)
	}
	w.file.Close() // the process dies
	c.close()
	c = openCore(t, c.dir, nil)
	wantGroup(t, c.FS, "g", "a=one")
	if n := c.staging.bytes.Load(); n != 3 {
		t.Errorf("%d bytes are held after a restart, want 3", n)
	}
	if names := must(c.staging.names())(t); len(names) != 0 {
		t.Errorf("staging holds %v", names)
	}
	if err := c.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantGroup(t, c.FS, "g", "a=one")
	c.opts.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if err := c.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantGroup(t, c.FS, "g")
	if left := must(c.staging.names())(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if n := c.staging.bytes.Load(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

// Pieces come from all sides while others are used and expire; every use sees whole ones.
func TestPieces_Concurrent(t *testing.T) {
	c := newCore(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				text := fmt.Sprintf("%02d-%02d", i, j)
				if err := addPiece(t, c.FS, "g", fmt.Sprint(j%5), text); err != nil {
					t.Error(err)
				}
				if i == 0 {
					for name, got := range groupOf(t, c.FS, "rdp", "g") {
						if len(got) != len(text) {
							t.Errorf("%s is %q", name, got)
						}
					}
				}
				if i == 1 && j%7 == 0 {
					if err := c.expirePieces(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if got := groupOf(t, c.FS, "rdp", "g"); len(got) != 5 {
		t.Errorf("group is %v", got)
	}
	if n := c.staging.bytes.Load(); n != 25 {
		t.Errorf("%d bytes are held, want 25", n)
	}
}
