package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"tote/objstore"
)

func completeClauses() []clause {
	return []clause{
		{"BadListIsErrPart", completeBadList},
		{"AfterErrPartTheUploadIsOpen", completeRetry},
		{"UnlistedPartsAreDropped", completeSubset},
		{"RepeatReturnsTheSame", completeRepeat},
		{"RepeatNeverBringsBack", completeRepeatAfterDelete},
		{"ConcurrentRepeats", completeConcurrent},
		{"PartAfterwardsIsErrNotFound", completeThenPart},
	}
}

func completeBadList(t *testing.T, s objstore.Store) {
	put(t, s, "a", []byte("old"))
	u := upload(t, s, "a")
	p1, p2 := part(t, u, 1, fit(s, []byte("one"))), part(t, u, 2, []byte("two"))
	other := upload(t, s, "a")
	foreign := part(t, other, 3, []byte("three"))
	wrongTag, wrongSize := p1, p1
	wrongTag.ETag = p2.ETag + "0"
	wrongSize.Size++
	for name, list := range map[string][]objstore.Part{
		"empty":      {},
		"descending": {p2, p1},
		"repeated":   {p1, p1},
		"unknown":    {p1, p2, foreign},
		"tag":        {wrongTag, p2},
		"no tag":     {{Number: 1, Size: p1.Size}},
		"path tag":   {{Number: 1, Size: p1.Size, ETag: "../../x"}},
		"size":       {wrongSize, p2},
		"number":     {{Number: 0, ETag: p1.ETag, Size: p1.Size}},
		"too high":   {p1, {Number: objstore.MaxParts + 1, ETag: p1.ETag, Size: p1.Size}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := u.Complete(t.Context(), list)
			isErr(t, err, objstore.ErrPart)
			holds(t, s, "a", []byte("old"))
		})
	}
	noErr(t, u.Abort(t.Context()))
	noErr(t, other.Abort(t.Context()))
}

func completeRetry(t *testing.T, s objstore.Store) {
	one := fit(s, []byte("one"))
	u := upload(t, s, "a")
	p1 := part(t, u, 1, one)
	_, err := u.Complete(t.Context(), []objstore.Part{p1, {Number: 2, ETag: "nope"}})
	isErr(t, err, objstore.ErrPart)
	p2 := part(t, u, 2, []byte("two"))
	complete(t, u, p1, p2)
	holds(t, s, "a", append(one, "two"...))
}

func completeSubset(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a")
	p1 := part(t, u, 1, fit(s, []byte("dropped")))
	p2 := part(t, u, 2, fit(s, []byte("two")))
	p3 := part(t, u, 3, []byte("dropped"))
	if !objstore.LimitsOf(s).AllParts {
		complete(t, u, p2)
		holds(t, s, "a", fit(s, []byte("two")))
		return
	}
	_, err := u.Complete(t.Context(), []objstore.Part{p2})
	isErr(t, err, objstore.ErrPart)
	absent(t, s, "a")
	complete(t, u, p1, p2, p3)
}

func completeRepeat(t *testing.T, s objstore.Store) {
	one := fit(s, []byte("one"))
	u := upload(t, s, "a")
	p1, p2 := part(t, u, 1, one), part(t, u, 2, []byte("two"))
	first := complete(t, u, p1, p2)
	for range 2 {
		sameInfo(t, complete(t, u, p1, p2), first)
	}
	holds(t, s, "a", append(one, "two"...))

	single := upload(t, s, "b")
	p := part(t, single, 5, []byte("five"))
	sameInfo(t, complete(t, single, p), complete(t, single, p))
	holds(t, s, "b", []byte("five"))
}

// completeRepeatAfterDelete: a late repeat answers, but does not publish a second time.
func completeRepeatAfterDelete(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a")
	p := part(t, u, 1, []byte("one"))
	first := complete(t, u, p)
	put(t, s, "a", []byte("newer"))
	sameInfo(t, complete(t, u, p), first)
	holds(t, s, "a", []byte("newer"))
	noErr(t, s.Delete(t.Context(), "a"))
	sameInfo(t, complete(t, u, p), first)
	absent(t, s, "a")
}

func completeConcurrent(t *testing.T, s objstore.Store) {
	one := fit(s, []byte("one"))
	u := upload(t, s, "a")
	parts := []objstore.Part{part(t, u, 1, one), part(t, u, 2, []byte("two"))}
	infos := make([]objstore.Info, 8)
	var wg sync.WaitGroup
	for i := range infos {
		wg.Go(func() {
			var err error
			if infos[i], err = u.Complete(t.Context(), parts); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, info := range infos {
		sameInfo(t, info, infos[0])
	}
	holds(t, s, "a", append(one, "two"...))
}

func completeThenPart(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a")
	complete(t, u, part(t, u, 1, []byte("one")))
	_, err := u.Part(t.Context(), 2, strings.NewReader("x"), 1)
	isErr(t, err, objstore.ErrNotFound)
	_, err = u.CopyPart(t.Context(), 2, "a", 0, 1)
	isErr(t, err, objstore.ErrNotFound)
	holds(t, s, "a", []byte("one"))
}

func abortClauses() []clause {
	return []clause{
		{"EndsTheUpload", abortEnds},
		{"IsIdempotent", abortRepeat},
		{"AfterCompleteDoesNothing", abortAfterComplete},
		{"DuringPartsLeavesNothing", abortDuringParts},
		{"Cancelled", abortCancelled},
	}
}

func abortEnds(t *testing.T, s objstore.Store) {
	put(t, s, "src", []byte("x"))
	u := upload(t, s, "a")
	p := part(t, u, 1, []byte("one"))
	noErr(t, u.Abort(t.Context()))
	_, err := u.Part(t.Context(), 2, strings.NewReader("x"), 1)
	isErr(t, err, objstore.ErrNotFound)
	_, err = u.CopyPart(t.Context(), 2, "src", 0, 1)
	isErr(t, err, objstore.ErrNotFound)
	_, err = u.Complete(t.Context(), []objstore.Part{p})
	isErr(t, err, objstore.ErrNotFound)
	absent(t, s, "a")
}

func abortRepeat(t *testing.T, s objstore.Store) {
	put(t, s, "a", []byte("old"))
	u := upload(t, s, "a")
	part(t, u, 1, []byte("one"))
	for range 3 {
		noErr(t, u.Abort(t.Context()))
	}
	holds(t, s, "a", []byte("old"))
}

func abortAfterComplete(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a")
	p := part(t, u, 1, []byte("one"))
	info := complete(t, u, p)
	for range 2 {
		noErr(t, u.Abort(t.Context()))
		holds(t, s, "a", []byte("one"))
		sameInfo(t, complete(t, u, p), info)
	}
}

func abortDuringParts(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				// Nothing but the end of the upload may stop them.
				if _, err := u.Part(t.Context(), i+1, strings.NewReader("part"), 4); err != nil {
					if !errors.Is(err, objstore.ErrNotFound) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	noErr(t, u.Abort(t.Context()))
	wg.Wait()
	absent(t, s, "a")
	if l, ok := objstore.As[objstore.UploadLister](s); ok {
		if open := collect(t, l.Uploads(t.Context())); len(open) > 0 {
			t.Errorf("open uploads %+v", open)
		}
	}
}

func abortCancelled(t *testing.T, s objstore.Store) {
	u := upload(t, s, "a")
	p := part(t, u, 1, []byte("one"))
	isErr(t, u.Abort(cancelled(t)), context.Canceled)
	complete(t, u, p)
	holds(t, s, "a", []byte("one"))
}
