package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tote/objstore"
)

func listClauses() []clause {
	return []clause{
		{"AscendsByKeyBytes", listOrder},
		{"PrefixAndAfter", listPrefixAfter},
		{"ImpossiblePrefixIsEmpty", listImpossible},
		{"EmptyStore", listEmpty},
		{"PagesWithAfter", listPages},
		{"StopsWhenToldTo", listStop},
		{"PartsNeverShow", listParts},
		{"UnderChange", listUnderChange},
		{"DeletingWhileListing", listDeleting},
		{"Cancelled", listCancelled},
	}
}

// treeKeys sort differently by bytes and by directory.
func treeKeys() []string {
	return []string{
		"a", "a!", "a-b", "a-b/c", "a.b", "a/b", "a/b!", "a/b/c", "a/b/d", "a/c", "a0", "aa", "b/1", "b/10", "b/2", "ba/1",
		"c/ff/x", "c/x", "z/ü", "z/日本", "Z", "é", "e\u0301", "~", " ", "!",
	}
}

// fill puts the keys that the store can have beside each other, and returns them in order.
func fill(t *testing.T, s objstore.Store, all []string) []string {
	t.Helper()
	all = fitting(s, all)
	slices.Sort(all)
	for _, key := range all {
		put(t, s, key, []byte(key))
	}
	return all
}

func listOrder(t *testing.T, s objstore.Store) {
	all := fill(t, s, treeKeys())
	if got := keys(t, s, "", ""); !slices.Equal(got, all) {
		t.Errorf("got  %q\nwant %q", got, all)
	}
}

func listPrefixAfter(t *testing.T, s objstore.Store) {
	all := fill(t, s, treeKeys())
	marks := append(treeKeys(), "", "a/", "a/b/", "b", "b/", "c/f", "c/ff", "zz", "a/b/cc", "\x00", "\xff", "a/b\xff", "a//", "nope/")
	for _, prefix := range marks {
		for _, after := range marks {
			want := []string{}
			for _, key := range all {
				if strings.HasPrefix(key, prefix) && key > after {
					want = append(want, key)
				}
			}
			if got := keys(t, s, prefix, after); !slices.Equal(got, want) {
				t.Errorf("prefix %q after %q: got %q, want %q", prefix, after, got, want)
			}
		}
	}
}

func listImpossible(t *testing.T, s objstore.Store) {
	fill(t, s, []string{"a", "b/c"})
	for _, prefix := range []string{"/", "//", "../", "./", "b//", "b/../", "a/", "a/b", ".tmp/", ".uploads/", strings.Repeat("x", 3000) + "/"} {
		if got := keys(t, s, prefix, ""); len(got) > 0 {
			t.Errorf("prefix %q: got %q", prefix, got)
		}
	}
}

func listEmpty(t *testing.T, s objstore.Store) {
	if got := keys(t, s, "", ""); len(got) > 0 {
		t.Errorf("got %q", got)
	}
	put(t, s, "a/b", nil)
	noErr(t, s.Delete(t.Context(), "a/b"))
	if got := keys(t, s, "", ""); len(got) > 0 {
		t.Errorf("got %q after a delete", got)
	}
}

func listPages(t *testing.T, s objstore.Store) {
	var all []string
	for i := range 97 {
		all = append(all, fmt.Sprintf("d%d/n%03d", i%3, i))
	}
	all = fill(t, s, all)
	var got []string
	for after := ""; ; after = got[len(got)-1] {
		n := 0
		for info, err := range s.List(t.Context(), "", after) {
			noErr(t, err)
			got = append(got, info.Key)
			if n++; n == 10 {
				break
			}
		}
		if n < 10 {
			break
		}
	}
	if !slices.Equal(got, all) {
		t.Errorf("got  %q\nwant %q", got, all)
	}
}

func listStop(t *testing.T, s objstore.Store) {
	fill(t, s, treeKeys())
	for _, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Error(err)
		}
		break // a store that yields on would panic
	}
}

func listParts(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a/b")
	part(t, u, 1, []byte("x"))
	part(t, u, 2, []byte("y"))
	_, _ = s.Put(t.Context(), "a/c", strings.NewReader("short"), 100)
	if got := keys(t, s, "", ""); len(got) > 0 {
		t.Errorf("an open upload shows as %q", got)
	}
	noErr(t, u.Abort(t.Context()))
}

// listUnderChange: what stays shows exactly once, in order, whatever comes and goes beside it.
func listUnderChange(t *testing.T, s objstore.Store) {
	var stay []string
	for i := range 60 {
		stay = append(stay, fmt.Sprintf("d%d/stay%02d", i/20, i))
	}
	fill(t, s, stay)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i = (i + 1) % 50 {
			select {
			case <-stop:
				return
			default:
			}
			key := fmt.Sprintf("d%d/go%02d", i%4, i)
			_, err := s.Put(t.Context(), key, strings.NewReader("x"), 1)
			if err == nil {
				err = s.Delete(t.Context(), key)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 20 {
		got := keys(t, s, "", "")
		if !slices.IsSorted(got) {
			t.Errorf("not sorted: %q", got)
		}
		got = slices.DeleteFunc(got, func(key string) bool { return strings.Contains(key, "go") })
		if !slices.Equal(got, stay) {
			t.Errorf("got %q, want %q", got, stay)
		}
	}
	close(stop)
	wg.Wait()
}

func listDeleting(t *testing.T, s objstore.Store) {
	all := fill(t, s, treeKeys())
	n := 0
	for info, err := range s.List(t.Context(), "", "") {
		noErr(t, err)
		noErr(t, s.Delete(t.Context(), info.Key))
		n++
	}
	if n != len(all) || len(keys(t, s, "", "")) > 0 {
		t.Errorf("%d of %d deleted while listing, left %q", n, len(all), keys(t, s, "", ""))
	}
}

func listCancelled(t *testing.T, s objstore.Store) {
	fill(t, s, []string{"a", "b"})
	var last error
	for _, err := range s.List(cancelled(t), "", "") {
		last = err
	}
	isErr(t, last, context.Canceled)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range s.List(ctx, "", "") {
		last = err
		n++
		cancel()
	}
	if n != 2 {
		t.Errorf("%d entries, want one object and the error", n)
	}
	isErr(t, last, context.Canceled)
}
