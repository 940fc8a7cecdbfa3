package storetest

import (
	"strings"
	"testing"

	"tote/objstore"
)

func limitClauses() []clause {
	return []clause{
		{"AreSane", limitsSane},
		{"LongestKeyHolds", limitsKey},
		{"SmallPartIsErrPart", limitsPart},
		{"TreeKeys", limitsTree},
	}
}

func limitsSane(t *testing.T, s objstore.Store) {
	l := objstore.LimitsOf(s)
	if l.MinPart < 1 || l.MaxPart < l.MinPart || l.MaxPut < l.MinPart || l.MinCopy < 1 || l.MaxCopy < l.MinCopy {
		t.Errorf("got %+v", l)
	}
	if l.MaxKey < objstore.MaxKey/2 || l.MaxKey > objstore.MaxKey {
		t.Errorf("got %+v", l)
	}
}

func limitsKey(t *testing.T, s objstore.Store) {
	longest := strings.Repeat(strings.Repeat("k", 99)+"/", 11)[:objstore.LimitsOf(s).MaxKey-1] + "x"
	put(t, s, longest, []byte("x"))
	holds(t, s, longest, []byte("x"))
	_, err := s.Put(t.Context(), longest+"x", strings.NewReader("x"), 1)
	isErr(t, err, objstore.ErrKey)
	_, err = s.NewUpload(t.Context(), longest+"x")
	isErr(t, err, objstore.ErrKey)
	_, err = s.Stat(t.Context(), longest+"x")
	isErr(t, err, objstore.ErrKey)
}

func limitsPart(t *testing.T, s objstore.Store) {
	smallest := objstore.LimitsOf(s).MinPart
	if smallest == 1 {
		return
	}
	u := upload(t, s, "a")
	p1 := part(t, u, 1, make([]byte, smallest-1))
	p2 := part(t, u, 2, []byte("two"))
	_, err := u.Complete(t.Context(), []objstore.Part{p1, p2})
	isErr(t, err, objstore.ErrPart)
	absent(t, s, "a")
	one := pattern(1, int(smallest))
	complete(t, u, part(t, u, 1, one), p2)
	holds(t, s, "a", append(one, "two"...))
}

// limitsTree holds a store that has no trees to the full contract, and one that has to a clean refusal.
func limitsTree(t *testing.T, s objstore.Store) {
	put(t, s, "dir/a", []byte("x"))
	put(t, s, "file", []byte("x"))
	for _, key := range []string{"dir", "file/a", "file/a/b"} {
		_, err := s.Put(t.Context(), key, strings.NewReader("y"), 1)
		if !objstore.LimitsOf(s).TreeKeys {
			noErr(t, err)
			holds(t, s, key, []byte("y"))
			continue
		}
		isErr(t, err, objstore.ErrKey)
		absent(t, s, key)
	}
	holds(t, s, "dir/a", []byte("x"))
	holds(t, s, "file", []byte("x"))
}
