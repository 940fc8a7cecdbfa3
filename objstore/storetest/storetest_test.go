package storetest_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tote/objstore"
	"tote/objstore/filestore"
	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

func TestContract(t *testing.T) {
	t.Run("Trace", func(t *testing.T) {
		storetest.Run(t, func(testing.TB) objstore.Store { return storetest.NewTrace(memstore.New()) })
	})
	t.Run("Fault", func(t *testing.T) {
		storetest.Run(t, func(testing.TB) objstore.Store { return storetest.NewFault(memstore.New()) })
	})
	t.Run("FaultOverTrace", func(t *testing.T) {
		storetest.Run(t, func(testing.TB) objstore.Store {
			return storetest.NewFault(storetest.NewTrace(memstore.New()))
		})
	})
}

func put(ctx context.Context, s objstore.Store, key, data string) error {
	_, err := s.Put(ctx, key, strings.NewReader(data), int64(len(data)))
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestFault_Fail(t *testing.T) {
	inner := memstore.New()
	f := storetest.NewFault(inner, storetest.Rule{Op: "put", Key: "a", Nth: 2, Do: storetest.Fail(objstore.ErrTemporary)})
	must(t, put(t.Context(), f, "a", "1"))
	must(t, put(t.Context(), f, "b", "1"))
	wantErr(t, put(t.Context(), f, "a", "2"), objstore.ErrTemporary)
	info, err := f.Stat(t.Context(), "a")
	must(t, err)
	must(t, put(t.Context(), f, "a", "3"))
	if again, err := f.Stat(t.Context(), "a"); err != nil || again.ETag == info.ETag {
		t.Errorf("the third put did not get through: %v", err)
	}
	if f.Calls("put") != 4 || f.Calls("stat") != 2 || f.Calls("") != 6 {
		t.Errorf("counted %d puts, %d stats, %d calls", f.Calls("put"), f.Calls("stat"), f.Calls(""))
	}
}

func TestFault_Lose(t *testing.T) {
	f := storetest.NewFault(memstore.New(), storetest.Rule{Op: "put", Do: storetest.Lose(objstore.ErrTemporary)})
	wantErr(t, put(t.Context(), f, "a", "1"), objstore.ErrTemporary)
	_, err := f.Stat(t.Context(), "a")
	must(t, err)
	f.Clear()
	must(t, put(t.Context(), f, "a", "1"))
}

func TestFault_Cut(t *testing.T) {
	inner := memstore.New()
	must(t, put(t.Context(), inner, "a", "0123456789"))
	must(t, put(t.Context(), inner, "b", "x"))
	f := storetest.NewFault(inner, storetest.Rule{Do: storetest.Cut(4)})
	body, err := f.Get(t.Context(), "a", 0, -1)
	must(t, err)
	data, err := io.ReadAll(body)
	wantErr(t, err, io.ErrUnexpectedEOF)
	must(t, body.Close())
	if string(data) != "0123" {
		t.Errorf("got %q", data)
	}
	wantErr(t, put(t.Context(), f, "new", "0123456789"), io.ErrUnexpectedEOF)
	_, err = f.Stat(t.Context(), "new")
	wantErr(t, err, objstore.ErrNotFound)

	f.Clear()
	f.Add(storetest.Rule{Op: "list", Do: storetest.Cut(1)})
	n := 0
	for _, err = range f.List(t.Context(), "", "") {
		n++
	}
	wantErr(t, err, io.ErrUnexpectedEOF)
	if n != 2 {
		t.Errorf("%d entries, want one object and the error", n)
	}
}

func TestFault_Upload(t *testing.T) {
	f := storetest.NewFault(memstore.New(),
		storetest.Rule{Op: "part", Nth: 2, Do: storetest.Fail(objstore.ErrTemporary)},
		storetest.Rule{Op: "complete", Nth: 1, Do: storetest.Lose(objstore.ErrTemporary)},
	)
	u, err := f.NewUpload(t.Context(), "a")
	must(t, err)
	p, err := u.Part(t.Context(), 1, strings.NewReader("one"), 3)
	must(t, err)
	_, err = u.Part(t.Context(), 2, strings.NewReader("two"), 3)
	wantErr(t, err, objstore.ErrTemporary)
	_, err = u.Complete(t.Context(), []objstore.Part{p})
	wantErr(t, err, objstore.ErrTemporary)
	info, err := u.Complete(t.Context(), []objstore.Part{p})
	must(t, err)
	if info.Size != 3 {
		t.Errorf("got %+v", info)
	}
	f.Add(storetest.Rule{Op: "resume", Do: storetest.Fail(objstore.ErrTemporary)})
	r, ok := objstore.As[objstore.Resumer](f)
	if !ok {
		t.Fatal("no Resumer")
	}
	_, err = r.ResumeUpload(t.Context(), "a", u.ID())
	wantErr(t, err, objstore.ErrTemporary)
}

func TestFault_DelayAndBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		f := storetest.NewFault(memstore.New(),
			storetest.Rule{Op: "put", Do: storetest.Delay(time.Minute)},
			storetest.Rule{Op: "stat", Do: storetest.Block(until)},
		)
		begin := time.Now()
		must(t, put(t.Context(), f, "a", "1"))
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("delayed by %s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantErr(t, put(ctx, f, "b", "1"), context.DeadlineExceeded)
		done := make(chan error)
		go func() {
			_, err := f.Stat(t.Context(), "a")
			done <- err
		}()
		synctest.Wait()
		close(until)
		must(t, <-done)
	})
}

// TestAbilitiesPassThrough: a decorator shows what the store beneath can do, and no call gets around it.
func TestAbilitiesPassThrough(t *testing.T) {
	s, err := filestore.New(filepath.Join(t.TempDir(), "objects"), filestore.Options{NoSync: true})
	must(t, err)
	defer s.Close()
	must(t, put(t.Context(), s, "a", "1"))
	trace := storetest.NewTrace(s)
	f := storetest.NewFault(trace, storetest.Rule{Op: "open", Nth: 1, Do: storetest.Fail(objstore.ErrTemporary)},
		storetest.Rule{Op: "rename", Nth: 1, Do: storetest.Fail(objstore.ErrTemporary)},
		storetest.Rule{Op: "open", Nth: 3, Do: storetest.Lose(objstore.ErrTemporary)})
	o, ok := objstore.As[objstore.FileOpener](f)
	if !ok {
		t.Fatal("no FileOpener")
	}
	_, err = o.OpenFile(t.Context(), "a")
	wantErr(t, err, objstore.ErrTemporary)
	file, err := o.OpenFile(t.Context(), "a")
	must(t, err)
	must(t, file.Close())
	_, err = o.OpenFile(t.Context(), "a")
	wantErr(t, err, objstore.ErrTemporary)
	r, _ := objstore.As[objstore.Renamer](f)
	wantErr(t, r.Rename(t.Context(), "a", "b"), objstore.ErrTemporary)
	must(t, r.Rename(t.Context(), "a", "b"))
	if got, want := trace.String(), "open a\nopen a\nrename a to=b\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if _, ok := objstore.As[objstore.Presigner](f); ok {
		t.Error("an ability showed that filestore lacks")
	}
	if _, ok := objstore.As[*filestore.Store](f); ok {
		t.Error("the store itself showed through")
	}
}

func TestTrace(t *testing.T) {
	s := storetest.NewTrace(memstore.New())
	if s.String() != "" {
		t.Errorf("begins with %q", s.String())
	}
	ctx := t.Context()
	must(t, put(ctx, s, "a", "12345"))
	body, err := s.Get(ctx, "a", 1, 2)
	must(t, err)
	must(t, body.Close())
	for range s.List(ctx, "a", "") {
	}
	for range s.List(ctx, "", "b") {
	}
	u, err := s.NewUpload(ctx, "b")
	must(t, err)
	p1, err := u.Part(ctx, 1, strings.NewReader("x"), 1)
	must(t, err)
	p2, err := u.CopyPart(ctx, 2, "a", 0, -1)
	must(t, err)
	_, err = u.Complete(ctx, []objstore.Part{p1, p2})
	must(t, err)
	must(t, u.Abort(ctx))
	must(t, s.Delete(ctx, "a"))
	_, err = s.Stat(ctx, "a")
	wantErr(t, err, objstore.ErrNotFound)
	const want = `put a size=5
get a off=1 n=2
list a
list after=b
upload b
part b number=1 size=1
copypart b number=2 from=a off=0 n=-1
complete b parts=2
abort b
delete a
stat a
`
	if got := s.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	s.Reset()
	if len(s.Lines()) != 0 {
		t.Error("reset forgot nothing")
	}
}
