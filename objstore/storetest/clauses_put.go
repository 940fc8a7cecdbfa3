package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"tote/objstore"
)

func keyClauses() []clause {
	return []clause{
		{"BadIsErrKey", badKeys},
		{"WeirdOnesHold", weirdKeys},
		{"LookalikesStayApart", lookalikeKeys},
		{"AnyFileNameMakesOne", versionKeys},
	}
}

func badKeys(t *testing.T, s objstore.Store) {
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/./b", "a/../b", "../a", "a/..", "a\x00b", "a\nb", "a\\b", "a\x7fb",
		"a\xffb", strings.Repeat("k", objstore.MaxKey+1),
	} {
		_, err := s.Put(t.Context(), key, strings.NewReader("x"), 1)
		isErr(t, err, objstore.ErrKey)
		_, err = s.Get(t.Context(), key, 0, -1)
		isErr(t, err, objstore.ErrKey)
		_, err = s.Stat(t.Context(), key)
		isErr(t, err, objstore.ErrKey)
		isErr(t, s.Delete(t.Context(), key), objstore.ErrKey)
		_, err = s.NewUpload(t.Context(), key)
		isErr(t, err, objstore.ErrKey)
	}
}

func holdAll(t *testing.T, s objstore.Store, all []string) {
	t.Helper()
	all = fitting(s, all)
	for _, key := range all {
		put(t, s, key, []byte(key))
	}
	for _, key := range all {
		holds(t, s, key, []byte(key))
	}
	if got := keys(t, s, "", ""); len(got) != len(all) {
		t.Errorf("%d keys are listed, want %d: %q", len(got), len(all), got)
	}
	for _, key := range all {
		noErr(t, s.Delete(t.Context(), key))
		absent(t, s, key)
	}
}

func weirdKeys(t *testing.T, s objstore.Store) {
	holdAll(t, s, []string{
		"a b", " a", "a ", "...", "..a", "a..", "-rf", "~", "%", "%2F", "%zz", "a%00b", "a?b=c&d#e", "a+b", "a:b", "a*b",
		"ü", "u\u0308", "日本語/図.png", "😀", "a'b\"c", "<&>", "$HOME", "@_@", "a@_@b@_@c.d", "con", "a\u2028b", "\u00a0",
		strings.Repeat("n", objstore.MaxSegment), strings.Repeat("d/", objstore.LimitsOf(s).MaxKey/2-1) + "ff",
	})
}

// lookalikeKeys are those a store on a file system might confuse with its own names or with each other.
func lookalikeKeys(t *testing.T, s objstore.Store) {
	all := []string{
		"a", "a/a", "a/a/a", "A", "a.b", "a/b", "a-b", ".tmp", ".tmp/x", ".uploads", ".uploads/x/manifest", "%.tmp/x",
		"done", "00001", "manifest", "d/.tmp/x",
	}
	for i := 0; i < 256; i += 15 {
		hex := fmt.Sprintf("%02x", i)
		all = append(all, hex, "a/"+hex, "%"+hex+"/x", "%%"+hex+"/x", hex+"/x", hex+"/"+hex, "a/"+hex+"/"+hex)
	}
	holdAll(t, s, all)
}

func versionKeys(t *testing.T, s objstore.Store) {
	names := []string{"toteBag.png", "README", ".bashrc", "a/b", "..", "\xff\xfe", strings.Repeat("ü", 127) + ".x", "a@_@b.c", "\x01\n"}
	for i, name := range names {
		key := objstore.VersionKey("rdp", name, fmt.Sprintf("0198c0de-0000-7000-8000-%012d", i))
		put(t, s, key, []byte(name))
		holds(t, s, key, []byte(name))
	}
	if got := keys(t, s, "rdp/binarystreamobject/assets/", ""); len(got) != len(names) {
		t.Errorf("%d keys are listed, want %d: %q", len(got), len(names), got)
	}
}

func putClauses() []clause {
	return []clause{
		{"PublishesExactlyTheBytes", putSizes},
		{"SaysWhatStatSays", putInfo},
		{"EarlyEndIsErrSize", putShort},
		{"MoreBytesIsErrSize", putLong},
		{"NegativeSizeIsErrSize", putNegative},
		{"ReaderErrorLeavesNothing", putReaderError},
		{"ErrorBehindTheLastByteLeavesNothing", putErrorAtEnd},
		{"CancelledLeavesNothing", putCancelled},
		{"CancelledMidwayLeavesNothing", putCancelledMidway},
		{"FailureKeepsTheOldObject", putKeepsOld},
		{"ReplacesAtomically", putReplaces},
		{"RepeatIsIdempotent", putRepeat},
		{"ConcurrentOnOneKey", putConcurrent},
		{"ConcurrentOnManyKeys", putMany},
		{"TakesOddReaders", putOddReaders},
	}
}

func putSizes(t *testing.T, s objstore.Store) {
	for i, size := range []int{0, 1, 511, 4096, 32<<10 - 1, 32 << 10, 128<<10 + 1, 1<<20 + 17} {
		key := fmt.Sprintf("sizes/%d", size)
		put(t, s, key, pattern(uint64(i), size))
		holds(t, s, key, pattern(uint64(i), size))
	}
}

func putInfo(t *testing.T, s objstore.Store) {
	before := time.Now().Add(-time.Minute)
	info := put(t, s, "a/b", []byte("hello"))
	if info.Key != "a/b" || info.Size != 5 || info.Modified.Before(before) {
		t.Errorf("put says %+v", info)
	}
	stat, err := s.Stat(t.Context(), "a/b")
	noErr(t, err)
	sameInfo(t, stat, info)
	for listed, err := range s.List(t.Context(), "a/", "") {
		noErr(t, err)
		sameInfo(t, listed, info)
	}
}

func refused(t *testing.T, s objstore.Store, r io.Reader, size int64, want error) {
	t.Helper()
	_, err := s.Put(t.Context(), "a/b", r, size)
	isErr(t, err, want)
	absent(t, s, "a/b")
	if all := keys(t, s, "", ""); len(all) > 0 {
		t.Errorf("a refused put left %q", all)
	}
}

func putShort(t *testing.T, s objstore.Store) {
	for _, n := range []int{0, 1, 99_999} {
		refused(t, s, bytes.NewReader(make([]byte, n)), 100_000, objstore.ErrSize)
	}
}

func putLong(t *testing.T, s objstore.Store) {
	for _, n := range []int{0, 1, 99_999} {
		refused(t, s, bytes.NewReader(make([]byte, 100_000)), int64(n), objstore.ErrSize)
	}
}

func putNegative(t *testing.T, s objstore.Store) {
	refused(t, s, strings.NewReader(""), -1, objstore.ErrSize)
	refused(t, s, strings.NewReader("x"), -1, objstore.ErrSize)
}

func putReaderError(t *testing.T, s objstore.Store) {
	for _, n := range []int{0, 1, 99_999} {
		r := io.MultiReader(bytes.NewReader(make([]byte, n)), iotest.ErrReader(errReader))
		refused(t, s, r, 100_000, errReader)
	}
}

// putErrorAtEnd is a chunked body that was cut off before its end was announced.
func putErrorAtEnd(t *testing.T, s objstore.Store) {
	r := io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(io.ErrUnexpectedEOF))
	refused(t, s, r, 5, io.ErrUnexpectedEOF)
}

func putCancelled(t *testing.T, s objstore.Store) {
	_, err := s.Put(cancelled(t), "a/b", strings.NewReader("x"), 1)
	isErr(t, err, context.Canceled)
	absent(t, s, "a/b")
}

func putCancelledMidway(t *testing.T, s objstore.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := s.Put(ctx, "a/b", &cancelling{cancel: cancel, n: 300_000}, 10_000_000)
	isErr(t, err, context.Canceled)
	absent(t, s, "a/b")
}

func putKeepsOld(t *testing.T, s objstore.Store) {
	old := pattern(1, 5000)
	put(t, s, "a", old)
	for _, r := range []io.Reader{strings.NewReader("short"), bytes.NewReader(make([]byte, 9000)), iotest.ErrReader(errReader)} {
		if _, err := s.Put(t.Context(), "a", r, 8000); err == nil {
			t.Fatal("a broken body was taken")
		}
		holds(t, s, "a", old)
	}
}

func putReplaces(t *testing.T, s objstore.Store) {
	first := put(t, s, "a", pattern(1, 200_000))
	body, err := s.Get(t.Context(), "a", 0, -1)
	noErr(t, err)
	defer body.Close()
	head := make([]byte, 1000)
	_, err = io.ReadFull(body, head)
	noErr(t, err)

	second := put(t, s, "a", pattern(2, 200_000))
	holds(t, s, "a", pattern(2, 200_000))
	if first.ETag != "" && first.ETag == second.ETag {
		t.Errorf("other bytes of the same size have the same tag %q", first.ETag)
	}
	// The open reader has all of the old object or an error.
	if rest, err := io.ReadAll(body); err == nil && !bytes.Equal(append(head, rest...), pattern(1, 200_000)) {
		t.Error("a reader saw a mixture of two objects")
	}
}

func putRepeat(t *testing.T, s objstore.Store) {
	for range 3 {
		put(t, s, "a/b", []byte("same"))
	}
	holds(t, s, "a/b", []byte("same"))
	if got := keys(t, s, "", ""); len(got) != 1 {
		t.Errorf("keys %q", got)
	}
}

func putConcurrent(t *testing.T, s objstore.Store) {
	const size = 50_000
	put(t, s, "k", bytes.Repeat([]byte{0}, size))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 10 {
				if _, err := s.Put(t.Context(), "k", bytes.NewReader(bytes.Repeat([]byte{byte(i)}, size)), size); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 20 {
				if err := wholeOrError(t.Context(), s, "k", size); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// wholeOrError reads an object all of whose bytes are equal. A store may refuse the rest of an object that was
// replaced, but must not mix.
func wholeOrError(ctx context.Context, s objstore.Store, key string, size int) error {
	body, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return nil //nolint:nilerr // allowed by the contract
	}
	if len(data) != size {
		return fmt.Errorf("a clean read of %d bytes, want %d", len(data), size)
	}
	if bytes.Count(data, data[:1]) != size {
		return errors.New("a read mixed two objects")
	}
	return nil
}

func putMany(t *testing.T, s objstore.Store) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				data := pattern(uint64(i*10+j), 1000)
				if _, err := s.Put(t.Context(), fmt.Sprintf("dir%d/%d", j, i), bytes.NewReader(data), 1000); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		for j := range 10 {
			holds(t, s, fmt.Sprintf("dir%d/%d", j, i), pattern(uint64(i*10+j), 1000))
		}
	}
}

func putOddReaders(t *testing.T, s objstore.Store) {
	data := pattern(3, 3000)
	for i, r := range []io.Reader{
		iotest.OneByteReader(bytes.NewReader(data)),
		iotest.DataErrReader(bytes.NewReader(data)), // the last bytes and EOF in one call
		iotest.HalfReader(bytes.NewReader(data)),
		struct{ io.Reader }{bytes.NewReader(data)},
	} {
		key := fmt.Sprint(i)
		_, err := s.Put(t.Context(), key, r, 3000)
		noErr(t, err)
		holds(t, s, key, data)
	}
}
