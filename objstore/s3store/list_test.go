package s3store

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"tote/objstore"
)

func listed(t *testing.T, s *Store, prefix, after string) ([]string, error) {
	t.Helper()
	var keys []string
	for info, err := range s.List(t.Context(), prefix, after) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}

func contents(keys ...string) string {
	var b strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><Size>1</Size></Contents>", key)
	}
	return b.String()
}

// TestList_Pages: pages begin behind the last key, and at a token only where a page was empty.
func TestList_Pages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		pages := []struct{ after, token, body string }{
			{"", "", contents("p/a", "p/b")},
			{"p/b", "", "<NextContinuationToken>T1</NextContinuationToken>"},
			{"", "T1", contents("p/c%2Bd", "p/c+e")},
			{"p/c+d", "", ""},
		}
		pages[3].after = "p/c+d"
		pages[2].body = contents("p/c+b", "p/c%2Bd")
		f.on("List", func(n int, w http.ResponseWriter, r *http.Request) bool {
			q, page := r.URL.Query(), pages[n-1]
			if q.Get("start-after") != page.after || q.Get("continuation-token") != page.token || q.Get("prefix") != "p/" {
				t.Errorf("page %d is asked for with %s", n, r.URL.RawQuery)
			}
			reply(w, fmt.Sprintf("<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>%t</IsTruncated>%s</ListBucketResult>", n < 4, page.body))
			return true
		})
		got, err := listed(t, s, "", "")
		if want := []string{"a", "b", "c b", "c+d"}; err != nil || !slices.Equal(got, want) || f.seen("List") != 4 {
			t.Errorf("got %q in %d pages, error %v", got, f.seen("List"), err)
		}
	})
}

func TestList_WrongOrderIsAnError(t *testing.T) {
	for _, keys := range [][]string{{"p/b", "p/a"}, {"p/a", "p/a"}} {
		synctest.Test(t, func(t *testing.T) {
			f, s := newFake(t)
			f.on("List", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				reply(w, "<ListBucketResult>"+contents(keys...)+"</ListBucketResult>")
				return true
			})
			_, err := listed(t, s, "", "")
			wantErr(t, err, errServer)
		})
	}
}

// TestList_HidesWhatIsNoKey: other tools' directory markers, and the store's own probes.
func TestList_HidesWhatIsNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		for _, key := range []string{".tote-probe-abc", ".tote-probe-abc/x", "a", "dir/", "dir/b", "e//f"} {
			f.replace(key, "x")
		}
		got, err := listed(t, s, "", "")
		if want := []string{"a", "dir/b"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, error %v", got, err)
		}
		_, err = s.Stat(t.Context(), ".tote-probe-abc")
		wantErr(t, err, objstore.ErrKey)
	})
}

func TestLister_Possible(t *testing.T) {
	for prefix, want := range map[string]bool{
		"": true, "a": true, "a/": true, "a/.": true, ".": true, "..": true, "é": true, "\xc3": true, "a\xe6\x97": true, "a%": true,
		"/": false, "a//": false, "./": false, "../": false, "a/../": false, "\xff": false, "a\x80": false, "\xc3x": false, "a\x00": false,
		"a\\": false, "a\xe6\x97\xa5\x97": false, strings.Repeat("x", objstore.MaxKey): true, strings.Repeat("x", objstore.MaxKey+1): false,
	} {
		if got := (&lister{prefix: prefix}).possible(); got != want {
			t.Errorf("%q: got %t", prefix, got)
		}
	}
}

func TestBeginOf(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a/b": "a/b", "a\xff": "a", "\x00b": "", "é\xc3": "é", "a\\b": "a", "a\x7f": "a", "日本": "日本",
	} {
		if got := beginOf(text); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

func TestTags(t *testing.T) {
	for tag, plain := range map[string]string{`"abc"`: "abc", "abc": "abc", `""`: "", "": "", `"`: `"`, `W/"x"`: `W/"x"`} {
		if got := readTag(&tag); got != plain {
			t.Errorf("%s: got %s", tag, got)
		}
	}
	if readTag(nil) != "" || writeTag("abc") != `"abc"` || writeTag(`W/"x"`) != `W/"x"` {
		t.Error("tags are written wrong")
	}
}
