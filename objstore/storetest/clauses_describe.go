package storetest

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"tote/objstore"
)

func describerClauses() []clause {
	return []clause{
		{"PutKeepsFacts", describePut},
		{"UploadKeepsFacts", describeUpload},
		{"PlainPutHasNone", describeNone},
		{"LongestIsLeftOut", describeLong},
		{"BadOnesAreRefused", describeBad},
		{"MissingIsErrNotFound", func(t *testing.T, s objstore.Store) {
			_, _, err := ability[objstore.Describer](t, s).StatDescribed(t.Context(), "a")
			isErr(t, err, objstore.ErrNotFound)
		}},
	}
}

func someFacts() map[string]string {
	return map[string]string{
		"name": "Über die Straße 図.png", "path": "/a b/100%/c:d/e+f", "mtime": "1700000000123456789", "mode": "0644",
		"empty": "", "spaces": "  two  ", "lines": "a\nb\r\n\tc\x00d\x7f", "colon": ":", "percent": "%41", "emoji": "😀",
		"0-9": "=?utf-8?q?x?=", "quotes": `"a", 'b'; c`,
	}
}

func facts(t *testing.T, s objstore.Store, key string, want map[string]string) {
	t.Helper()
	info, got, err := ability[objstore.Describer](t, s).StatDescribed(t.Context(), key)
	noErr(t, err)
	if !maps.Equal(got, want) {
		t.Errorf("%s has the facts\n%q, want\n%q", key, got, want)
	}
	stat, err := s.Stat(t.Context(), key)
	noErr(t, err)
	sameInfo(t, info, stat)
}

func putDescribed(t *testing.T, s objstore.Store, key string, data []byte, facts map[string]string) objstore.Info {
	t.Helper()
	d := ability[objstore.Describer](t, s)
	info, err := d.PutDescribed(t.Context(), key, bytes.NewReader(data), int64(len(data)), facts)
	noErr(t, err)
	return info
}

func describePut(t *testing.T, s objstore.Store) {
	data := pattern(1, 10_000)
	info := putDescribed(t, s, "dir/a", data, someFacts())
	if info.Key != "dir/a" || info.Size != 10_000 {
		t.Errorf("put says %+v", info)
	}
	facts(t, s, "dir/a", someFacts())
	holds(t, s, "dir/a", data)
	putDescribed(t, s, "dir/a", data, map[string]string{"other": "fact"})
	facts(t, s, "dir/a", map[string]string{"other": "fact"})
}

func describeUpload(t *testing.T, s objstore.Store) {
	putDescribed(t, s, "src", []byte("source"), map[string]string{"from": "src"})
	one := fit(s, []byte("one"))
	u, err := ability[objstore.Describer](t, s).NewUploadDescribed(t.Context(), "dir/a", someFacts())
	noErr(t, err)
	p1 := part(t, u, 1, one)
	p2 := copyPart(t, u, 2, "src", 0, -1)
	complete(t, u, p1, p2)
	facts(t, s, "dir/a", someFacts())
	holds(t, s, "dir/a", append(one, "source"...))
}

func describeNone(t *testing.T, s objstore.Store) {
	putDescribed(t, s, "a", []byte("x"), someFacts())
	put(t, s, "a", []byte("y"))
	facts(t, s, "a", map[string]string{})
	putDescribed(t, s, "b", []byte("x"), nil)
	facts(t, s, "b", map[string]string{})
}

// describeLong: a path that has no room takes no other fact along.
func describeLong(t *testing.T, s objstore.Store) {
	all := map[string]string{"name": "short", "path": strings.Repeat("long/", 1000), "ino": "12", "also": strings.Repeat("é", 1500)}
	putDescribed(t, s, "a", []byte("x"), all)
	facts(t, s, "a", map[string]string{"name": "short", "ino": "12"})
	fits := map[string]string{"name": "short", "path": strings.Repeat("p", 1900)}
	putDescribed(t, s, "b", []byte("x"), fits)
	facts(t, s, "b", fits)
}

func describeBad(t *testing.T, s objstore.Store) {
	d := ability[objstore.Describer](t, s)
	for _, bad := range []map[string]string{
		{"": "x"}, {"Name": "x"}, {"a_b": "x"}, {"a b": "x"}, {"é": "x"}, {strings.Repeat("n", 33): "x"}, {"name": "\xff"},
	} {
		if _, err := d.PutDescribed(t.Context(), "a", strings.NewReader("x"), 1, bad); err == nil {
			t.Errorf("put took %q", bad)
		}
		if _, err := d.NewUploadDescribed(t.Context(), "a", bad); err == nil {
			t.Errorf("an upload took %q", bad)
		}
	}
	absent(t, s, "a")
}
