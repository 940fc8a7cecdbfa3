package s3store

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestEncodeFact(t *testing.T) {
	for value, want := range map[string]string{
		"photo.jpg": "photo.jpg", "a b/c": "a b/c", "": ":", "100%": "100%25", " a": "%20a", "a ": "a%20", "a  b": "a %20b",
		"café": "caf%C3%A9", "日本語": ":5pel5pys6Kqe", "a:b": "a%3Ab", "\n": ":Cg",
	} {
		got := encodeFact(value)
		if got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
		if back, err := decodeFact(got); err != nil || back != value {
			t.Errorf("%q came back as %q, error %v", value, back, err)
		}
	}
}

func TestEncodeFact_Random(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	runes := []rune("ab /%:,=\"?\x00\n\u007f é日😀\ufffd")
	for range 5000 {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteRune(runes[r.IntN(len(runes))])
		}
		coded := encodeFact(b.String())
		if strings.ContainsFunc(coded, func(c rune) bool { return c < ' ' || c > '~' }) || strings.TrimSpace(coded) != coded || coded == "" {
			t.Fatalf("%q is no header value: %q", b.String(), coded)
		}
		if back, err := decodeFact(coded); err != nil || back != b.String() {
			t.Fatalf("%q came back as %q, error %v", b.String(), back, err)
		}
	}
}

func TestFacts(t *testing.T) {
	meta, err := writeFacts(map[string]string{"name": "é", "mode": "0644"})
	if err != nil || !maps.Equal(meta, map[string]string{"tote-name": ":w6k", "tote-mode": "0644"}) {
		t.Errorf("got %q, error %v", meta, err)
	}
	meta["mtime"] = "of another tool"
	meta["Tote-Size"] = "7"
	meta["tote-bad"] = "%zz"
	if got := readFacts(meta); !maps.Equal(got, map[string]string{"name": "é", "mode": "0644", "size": "7"}) {
		t.Errorf("got %q", got)
	}
	if meta, err := writeFacts(nil); meta != nil || err != nil {
		t.Errorf("no facts are %q, error %v", meta, err)
	}
}
