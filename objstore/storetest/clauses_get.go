package storetest

import (
	"bytes"
	"context"
	"io"
	"math"
	"strings"
	"sync"
	"testing"

	"tote/objstore"
)

func getClauses() []clause {
	return []clause{
		{"RangeIsExact", getRanges},
		{"OutsideIsErrRange", getOutside},
		{"EmptyObject", getEmpty},
		{"MissingIsErrNotFound", getMissing},
		{"ManyReadersAtOnce", getParallel},
		{"Cancelled", getCancelled},
	}
}

func getRanges(t *testing.T, s objstore.Store) {
	data := pattern(1, 100_000)
	put(t, s, "a", data)
	for _, r := range []struct{ off, n, want int64 }{
		{0, -1, 100_000}, {0, 100_000, 100_000}, {0, 1, 1}, {99_999, 1, 1}, {99_999, -1, 1}, {12_345, 54_321, 54_321},
		{50_000, -5, 50_000}, {100_000, -1, 0}, {100_000, 0, 0}, {0, 0, 0}, {500, 0, 0},
	} {
		got := get(t, s, "a", r.off, r.n)
		if !bytes.Equal(got, data[r.off:r.off+r.want]) {
			t.Errorf("%d bytes at %d: got %d bytes, want %d", r.n, r.off, len(got), r.want)
		}
	}
}

func getOutside(t *testing.T, s objstore.Store) {
	put(t, s, "a", make([]byte, 100))
	for _, r := range []struct{ off, n int64 }{
		{-1, 1}, {-1, -1}, {101, -1}, {101, 0}, {100, 1}, {0, 101}, {99, 2}, {1, math.MaxInt64}, {math.MaxInt64, 1},
		{math.MaxInt64, -1}, {math.MinInt64, -1},
	} {
		_, err := s.Get(t.Context(), "a", r.off, r.n)
		isErr(t, err, objstore.ErrRange)
	}
}

func getEmpty(t *testing.T, s objstore.Store) {
	put(t, s, "empty", nil)
	for _, n := range []int64{-1, 0} {
		if got := get(t, s, "empty", 0, n); len(got) != 0 {
			t.Errorf("an empty object gave %q", got)
		}
	}
	_, err := s.Get(t.Context(), "empty", 0, 1)
	isErr(t, err, objstore.ErrRange)
}

func getMissing(t *testing.T, s objstore.Store) {
	put(t, s, "dir/a", []byte("x"))
	for _, key := range []string{"b", "dir", "dir/b", "dir/a/b", "x/y/z", strings.Repeat("d/", 300) + "x"} {
		_, err := s.Get(t.Context(), key, 0, -1)
		isErr(t, err, objstore.ErrNotFound)
	}
}

func getParallel(t *testing.T, s objstore.Store) {
	data := pattern(1, 100_000)
	put(t, s, "a", data)
	var wg sync.WaitGroup
	for off := range int64(8) {
		wg.Go(func() {
			body, err := s.Get(t.Context(), "a", off, -1)
			if err != nil {
				t.Error(err)
				return
			}
			defer body.Close()
			if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, data[off:]) {
				t.Errorf("reader at %d got other bytes, error %v", off, err)
			}
		})
	}
	wg.Wait()
}

func getCancelled(t *testing.T, s objstore.Store) {
	put(t, s, "a", make([]byte, 100))
	_, err := s.Get(cancelled(t), "a", 0, -1)
	isErr(t, err, context.Canceled)
}

func statClauses() []clause {
	return []clause{
		{"MissingIsErrNotFound", func(t *testing.T, s objstore.Store) {
			put(t, s, "dir/a", []byte("x"))
			for _, key := range []string{"b", "dir", "dir/b", "dir/a/b"} {
				_, err := s.Stat(t.Context(), key)
				isErr(t, err, objstore.ErrNotFound)
			}
		}},
		{"StaysTheSame", func(t *testing.T, s objstore.Store) {
			want := put(t, s, "a", []byte("x"))
			get(t, s, "a", 0, -1)
			got, err := s.Stat(t.Context(), "a")
			noErr(t, err)
			sameInfo(t, got, want)
		}},
		{"Cancelled", func(t *testing.T, s objstore.Store) {
			_, err := s.Stat(cancelled(t), "a")
			isErr(t, err, context.Canceled)
		}},
	}
}

func deleteClauses() []clause {
	return []clause{
		{"Removes", func(t *testing.T, s objstore.Store) {
			put(t, s, "dir/a", []byte("x"))
			put(t, s, "dir/b", []byte("y"))
			noErr(t, s.Delete(t.Context(), "dir/a"))
			absent(t, s, "dir/a")
			holds(t, s, "dir/b", []byte("y"))
		}},
		{"MissingIsSuccess", func(t *testing.T, s objstore.Store) {
			put(t, s, "dir/a", []byte("x"))
			for _, key := range []string{"b", "dir", "dir/b", "dir/a/b", "x/y/z"} {
				noErr(t, s.Delete(t.Context(), key))
			}
			holds(t, s, "dir/a", []byte("x"))
		}},
		{"OpenReaderReadsOnOrFails", func(t *testing.T, s objstore.Store) {
			data := pattern(1, 200_000)
			put(t, s, "a", data)
			body, err := s.Get(t.Context(), "a", 0, -1)
			noErr(t, err)
			defer body.Close()
			noErr(t, s.Delete(t.Context(), "a"))
			if got, err := io.ReadAll(body); err == nil && !bytes.Equal(got, data) {
				t.Error("a reader of a deleted object got other bytes")
			}
		}},
		{"ThenPutAgain", func(t *testing.T, s objstore.Store) {
			put(t, s, "a/b/c", []byte("old"))
			noErr(t, s.Delete(t.Context(), "a/b/c"))
			put(t, s, "a/b/c", []byte("new"))
			holds(t, s, "a/b/c", []byte("new"))
		}},
		{"CancelledKeeps", func(t *testing.T, s objstore.Store) {
			put(t, s, "a", []byte("x"))
			isErr(t, s.Delete(cancelled(t), "a"), context.Canceled)
			holds(t, s, "a", []byte("x"))
		}},
	}
}
