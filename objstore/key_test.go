package objstore

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

const guid = "0198c0de-1111-7222-8333-444455556666"

func TestValidKey(t *testing.T) {
	for _, key := range []string{
		"a", "a/b", "a b", ".a", "...", "a/..b", "ü/日本", "%2F", strings.Repeat("k", MaxKey),
	} {
		if err := ValidKey(key); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "../a", "a/../b", "a\\b", "a\x00", "a\tb", "a\x7f", "a\xff",
		strings.Repeat("k", MaxKey+1),
	} {
		if err := ValidKey(key); !errors.Is(err, ErrKey) {
			t.Errorf("%q: got %v, want ErrKey", key, err)
		}
	}
}

func TestEscapeName(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"", ""},
		{"toteBag.png", "toteBag.png"},
		{"a b@_-.ü日本😀", "a b@_-.ü日本😀"},
		{".", "%2E"},
		{"..", "%2E%2E"},
		{"...", "..."},
		{"a/b\\c%d", "a%2Fb%5Cc%25d"},
		{"^`><{}[]#|\"~", "%5E%60%3E%3C%7B%7D%5B%5D%23%7C%22%7E"},
		{"\x00\n\x7f", "%00%0A%7F"},
		{"\u0085", "%C2%85"},
		{"\ufffe", "%EF%BF%BE"},
		{"a\xffb\xc3", "a%FFb%C3"},
		{"\ufffd", "\ufffd"},
	} {
		if got := EscapeName(c.name); got != c.want {
			t.Errorf("%q: got %q, want %q", c.name, got, c.want)
		}
		if back, err := UnescapeName(c.want); err != nil || back != c.name {
			t.Errorf("%q came back as %q, error %v", c.name, back, err)
		}
	}
}

func TestUnescapeNameRefuses(t *testing.T) {
	for _, seg := range []string{"%", "a%", "%2", "%zz", "%2G", "a%-1"} {
		if got, err := UnescapeName(seg); !errors.Is(err, ErrKey) {
			t.Errorf("%q: got %q, %v, want ErrKey", seg, got, err)
		}
	}
	if got, err := UnescapeName("%2f%2F"); err != nil || got != "//" {
		t.Errorf("lower-case hex: got %q, %v", got, err)
	}
}

func TestVersionKey(t *testing.T) {
	const dir = "rdp/binarystreamobject/assets/"
	for _, c := range []struct{ name, want string }{
		{"toteBag.png", "toteBag@_@" + guid + ".png"},
		{"README", "README@_@" + guid},
		{".bashrc", ".bashrc@_@" + guid},
		{".a.txt", ".a@_@" + guid + ".txt"},
		{"a.tar.gz", "a.tar@_@" + guid + ".gz"},
		{"a.", "a@_@" + guid + "."},
		{"a/b.c#", "a%2Fb@_@" + guid + ".c%23"},
		{"x." + strings.Repeat("e", 31), "x@_@" + guid + "." + strings.Repeat("e", 31)},
		{"x." + strings.Repeat("e", 32), "x." + strings.Repeat("e", 32) + "@_@" + guid},
		{"a.b@_@c", "a.b@_@c@_@" + guid},
		{"a@_@b.c", "a@_@b@_@" + guid + ".c"},
	} {
		if got := VersionKey("rdp", c.name, guid); got != dir+c.want {
			t.Errorf("%q: got %q, want %q", c.name, got, dir+c.want)
		}
	}
}

func TestVersionKeyShortens(t *testing.T) {
	for _, c := range []struct{ tenant, name string }{
		{"rdp", strings.Repeat("a", 255)},
		{"rdp", strings.Repeat("a", 250) + ".jpeg"},
		{"rdp", strings.Repeat("ü", 127)},
		{"rdp", strings.Repeat("😀", 63) + ".x"},
		{"rdp", strings.Repeat("#", 255)},
		{"rdp", "x" + strings.Repeat("\xff", 254)},
		{"rdp", "." + strings.Repeat("#", 200) + "." + strings.Repeat("|", 31)},
		{strings.Repeat("t", 900), strings.Repeat("a", 255)},
	} {
		checkVersionKey(t, c.tenant, c.name)
	}
}

// checkVersionKey holds any name's key to what every such key promises.
func checkVersionKey(t *testing.T, tenant, name string) {
	t.Helper()
	key := VersionKey(tenant, name, guid)
	if err := ValidKey(key); err != nil {
		t.Fatalf("%q: %v", name, err)
	}
	last := key[strings.LastIndexByte(key, '/')+1:]
	if len(last) > MaxSegment || !strings.HasPrefix(key, tenant+verPath) {
		t.Fatalf("%q: key %q, last segment of %d bytes", name, key, len(last))
	}
	stem, id, ext, ok := SplitVersionName(last)
	if !ok || id != guid {
		t.Fatalf("%q: %q splits to %q, %q, %q, %t", name, last, stem, id, ext, ok)
	}
	plain, err := UnescapeName(stem)
	if err != nil || !strings.HasPrefix(name, plain) {
		t.Fatalf("%q: stem %q is no beginning of it: %v", name, stem, err)
	}
	tail, err := UnescapeName(ext)
	if err != nil || !strings.HasSuffix(name, tail) {
		t.Fatalf("%q: extension %q is no end of it: %v", name, ext, err)
	}
	if len(EscapeName(name))+len(guid)+3 <= MaxSegment && len(tenant) < 100 && plain+tail != name {
		t.Fatalf("%q: shortened to %q without need", name, plain+tail)
	}
}

func TestSplitVersionName(t *testing.T) {
	for _, c := range []struct {
		name, stem, guid, ext string
		ok                    bool
	}{
		{"toteBag@_@g1.png", "toteBag", "g1", ".png", true},
		{"README@_@g1", "README", "g1", "", true},
		{"a@_@b@_@g1.c", "a@_@b", "g1", ".c", true},
		{"a@_@_@g1", "a@_", "g1", "", true},
		{"@_@g1", "", "g1", "", true},
		{"a@_@g1.", "a", "g1", ".", true},
		{"a@_@g1.tar.gz", "a", "g1", ".tar.gz", true},
		{"a@_@", "", "", "", false},
		{"a@_@.png", "", "", "", false},
		{"main.zip", "", "", "", false},
		{"", "", "", "", false},
	} {
		stem, id, ext, ok := SplitVersionName(c.name)
		if stem != c.stem || id != c.guid || ext != c.ext || ok != c.ok {
			t.Errorf("%q: got %q, %q, %q, %t", c.name, stem, id, ext, ok)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{"a.b", "..", "\xff/", "a@_@b.c", "ü.日本", strings.Repeat("~", 255)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		seg := EscapeName(name)
		if back, err := UnescapeName(seg); err != nil || back != name {
			t.Fatalf("%q escapes to %q and comes back as %q, %v", name, seg, back, err)
		}
		if name != "" && len(seg) <= MaxKey {
			if err := ValidKey(seg); err != nil || strings.Contains(seg, "/") || !utf8.ValidString(seg) {
				t.Fatalf("%q escapes to %q: %v", name, seg, err)
			}
		}
		checkVersionKey(t, "rdp", name)
	})
}
