package storetest

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"tote/objstore"
)

func uploadClauses() []clause {
	return []clause{
		{"Lifecycle", uploadLifecycle},
		{"NothingShowsBeforeComplete", uploadHidden},
		{"KeepsTheOldObjectUntilComplete", uploadKeepsOld},
		{"PartsInAnyOrder", uploadAnyOrder},
		{"PartsInParallel", uploadParallel},
		{"RepeatedNumberReplaces", uploadReplaces},
		{"BrokenPartIsErrorAndKeepsTheOld", uploadBrokenPart},
		{"NumberOutOfRangeIsErrPart", uploadBadNumber},
		{"EmptyPart", uploadEmptyPart},
		{"TwoOnOneKey", uploadTwo},
		{"CancelledPart", uploadCancelled},
	}
}

func uploadLifecycle(t *testing.T, s objstore.Store) {
	u := upload(t, s, "dir/a")
	if u.Key() != "dir/a" || u.ID() == "" {
		t.Errorf("upload %q of %q", u.ID(), u.Key())
	}
	n := max(100_000, int(objstore.LimitsOf(s).MinPart))
	data := pattern(1, 3*n)
	p1 := part(t, u, 1, data[:n])
	p2 := part(t, u, 2, data[n:2*n])
	p3 := part(t, u, 3, data[2*n:])
	info := complete(t, u, p1, p2, p3)
	holds(t, s, "dir/a", data)
	stat, err := s.Stat(t.Context(), "dir/a")
	noErr(t, err)
	sameInfo(t, info, stat)
	if got := keys(t, s, "", ""); !slices.Equal(got, []string{"dir/a"}) {
		t.Errorf("keys %q", got)
	}
}

func uploadHidden(t *testing.T, s objstore.Store) {
	u := upload(t, s, "dir/a")
	absent(t, s, "dir/a")
	part(t, u, 1, []byte("x"))
	absent(t, s, "dir/a")
	noErr(t, u.Abort(t.Context()))
	absent(t, s, "dir/a")
}

func uploadKeepsOld(t *testing.T, s objstore.Store) {
	put(t, s, "a", []byte("old"))
	u := upload(t, s, "a")
	p := part(t, u, 1, []byte("new"))
	holds(t, s, "a", []byte("old"))
	complete(t, u, p)
	holds(t, s, "a", []byte("new"))
}

func uploadAnyOrder(t *testing.T, s objstore.Store) {
	data := func(number int) []byte { return fit(s, pattern(uint64(number), 1000)) }
	u := upload(t, s, "a")
	var parts []objstore.Part
	for _, number := range []int{objstore.MaxParts, 7, 1, 300} { // with gaps
		parts = append(parts, part(t, u, number, data(number)))
	}
	slices.SortFunc(parts, func(a, b objstore.Part) int { return a.Number - b.Number })
	complete(t, u, parts...)
	holds(t, s, "a", slices.Concat(data(1), data(7), data(300), data(objstore.MaxParts)))
}

func uploadParallel(t *testing.T, s objstore.Store) {
	const n = 16
	u := upload(t, s, "a")
	parts := make([]objstore.Part, n)
	var want []byte
	var wg sync.WaitGroup
	for i := range n {
		data := fit(s, pattern(uint64(i), 10_000))
		want = append(want, data...)
		wg.Go(func() {
			var err error
			if parts[i], err = u.Part(t.Context(), i+1, bytes.NewReader(data), int64(len(data))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	complete(t, u, parts...)
	holds(t, s, "a", want)
}

func uploadReplaces(t *testing.T, s objstore.Store) {
	one := fit(s, []byte("new1"))
	u := upload(t, s, "a")
	old := part(t, u, 1, fit(s, []byte("old1")))
	p2 := part(t, u, 2, []byte("two"))
	p1 := part(t, u, 1, one)
	_, err := u.Complete(t.Context(), []objstore.Part{old, p2})
	isErr(t, err, objstore.ErrPart)
	absent(t, s, "a")
	complete(t, u, p1, p2)
	holds(t, s, "a", append(one, "two"...))
}

func uploadBrokenPart(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a")
	p := part(t, u, 1, []byte("good"))
	for _, c := range []struct {
		r    io.Reader
		size int64
		want error
	}{
		{strings.NewReader("short"), 6, objstore.ErrSize},
		{strings.NewReader("longer"), 5, objstore.ErrSize},
		{strings.NewReader(""), -1, objstore.ErrSize},
		{io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(errReader)), 10, errReader},
		{io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(errReader)), 5, errReader},
	} {
		_, err := u.Part(t.Context(), 1, c.r, c.size)
		isErr(t, err, c.want)
	}
	complete(t, u, p)
	holds(t, s, "a", []byte("good"))
}

func uploadBadNumber(t *testing.T, s objstore.Store) {
	put(t, s, "src", []byte("x"))
	u := upload(t, s, "a")
	for _, number := range []int{-1, 0, objstore.MaxParts + 1} {
		_, err := u.Part(t.Context(), number, strings.NewReader("x"), 1)
		isErr(t, err, objstore.ErrPart)
		_, err = u.CopyPart(t.Context(), number, "src", 0, 1)
		isErr(t, err, objstore.ErrPart)
	}
	noErr(t, u.Abort(t.Context()))
}

func uploadEmptyPart(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a")
	complete(t, u, part(t, u, 1, nil))
	holds(t, s, "a", nil)
}

func uploadTwo(t *testing.T, s objstore.Store) {
	one, two := upload(t, s, "a"), upload(t, s, "a")
	if one.ID() == two.ID() {
		t.Fatalf("both uploads have the id %q", one.ID())
	}
	p1, p2 := part(t, one, 1, []byte("one")), part(t, two, 1, []byte("two"))
	complete(t, one, p1)
	holds(t, s, "a", []byte("one"))
	complete(t, two, p2)
	holds(t, s, "a", []byte("two"))

	three := upload(t, s, "a")
	part(t, three, 1, []byte("three"))
	noErr(t, three.Abort(t.Context()))
	holds(t, s, "a", []byte("two"))
}

func uploadCancelled(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a")
	p := part(t, u, 1, []byte("good"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := u.Part(ctx, 1, &cancelling{cancel: cancel, n: 300_000}, 10_000_000)
	isErr(t, err, context.Canceled)
	_, err = u.Complete(ctx, []objstore.Part{p})
	isErr(t, err, context.Canceled)
	absent(t, s, "a")
	complete(t, u, p)
	holds(t, s, "a", []byte("good"))
	_, err = s.NewUpload(ctx, "a")
	isErr(t, err, context.Canceled)
}

func copyClauses() []clause {
	return []clause{
		{"Ranges", copyRanges},
		{"OutsideIsErrRange", copyOutside},
		{"MissingSourceIsErrNotFound", copyMissing},
		{"MixesWithParts", copyMixed},
		{"KeepsBytesOfADeletedSource", copyDeleted},
	}
}

func copyPart(t *testing.T, u objstore.Upload, number int, src string, off, n int64) objstore.Part {
	t.Helper()
	p, err := u.CopyPart(t.Context(), number, src, off, n)
	noErr(t, err)
	return p
}

func copyRanges(t *testing.T, s objstore.Store) {
	n := max(8192, objstore.LimitsOf(s).MinPart)
	size := n + 100_000
	data := pattern(1, int(size))
	put(t, s, "src", data)
	for _, r := range []struct{ off, n, want int64 }{
		{0, 1, 1}, {4096, 8192, 8192}, {size - 1, 1, 1}, {n, -1, 100_000}, {0, size, size}, {size, 0, 0},
	} {
		u := upload(t, s, "one")
		complete(t, u, copyPart(t, u, 1, "src", r.off, r.n))
		holds(t, s, "one", data[r.off:r.off+r.want])
	}

	u := upload(t, s, "a")
	parts := []objstore.Part{
		copyPart(t, u, 1, "src", 0, n),
		copyPart(t, u, 2, "src", 4096, n),
		copyPart(t, u, 3, "src", 100_000, n),
		copyPart(t, u, 4, "src", n, -1),
	}
	complete(t, u, parts...)
	holds(t, s, "a", slices.Concat(data[:n], data[4096:4096+n], data[100_000:], data[n:]))
	holds(t, s, "src", data)
}

func copyOutside(t *testing.T, s objstore.Store) {
	put(t, s, "src", make([]byte, 100))
	u := upload(t, s, "a")
	for _, r := range []struct{ off, n int64 }{{-1, 1}, {101, -1}, {100, 1}, {0, 101}, {50, 51}} {
		_, err := u.CopyPart(t.Context(), 1, "src", r.off, r.n)
		isErr(t, err, objstore.ErrRange)
	}
	noErr(t, u.Abort(t.Context()))
}

func copyMissing(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a")
	_, err := u.CopyPart(t.Context(), 1, "no/such", 0, -1)
	isErr(t, err, objstore.ErrNotFound)
	_, err = u.CopyPart(t.Context(), 1, "../bad", 0, -1)
	isErr(t, err, objstore.ErrKey)
	noErr(t, u.Abort(t.Context()))
}

// copyMixed is a small edit of a large object: the parts around it are copied.
func copyMixed(t *testing.T, s objstore.Store) {
	n := max(100_000, int64(objstore.LimitsOf(s).MinPart))
	data := pattern(1, int(3*n))
	put(t, s, "a", data)
	u := upload(t, s, "a")
	p3 := copyPart(t, u, 3, "a", 2*n, -1)
	p2 := part(t, u, 2, pattern(2, int(n)))
	p1 := copyPart(t, u, 1, "a", 0, n)
	complete(t, u, p1, p2, p3)
	holds(t, s, "a", slices.Concat(data[:n], pattern(2, int(n)), data[2*n:]))
}

func copyDeleted(t *testing.T, s objstore.Store) {
	put(t, s, "src", pattern(1, 10_000))
	u := upload(t, s, "a")
	p := copyPart(t, u, 1, "src", 0, -1)
	put(t, s, "src", pattern(2, 10_000))
	noErr(t, s.Delete(t.Context(), "src"))
	complete(t, u, p)
	holds(t, s, "a", pattern(1, 10_000))
}
