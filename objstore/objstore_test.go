package objstore

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestCheckRange(t *testing.T) {
	for _, c := range []struct {
		off, n, want int64
		ok           bool
	}{
		{0, 10, 10, true}, {0, -1, 10, true}, {10, -1, 0, true}, {10, 0, 0, true}, {3, 4, 4, true}, {3, math.MinInt64, 7, true},
		{10, 1, 0, false}, {11, 0, 0, false}, {-1, 1, 0, false}, {1, 10, 0, false}, {1, math.MaxInt64, 0, false},
		{math.MinInt64, math.MaxInt64, 0, false},
	} {
		got, err := CheckRange(10, c.off, c.n)
		if got != c.want || (err == nil) != c.ok || !c.ok && !errors.Is(err, ErrRange) {
			t.Errorf("%d at %d: got %d, %v", c.n, c.off, got, err)
		}
	}
}

func TestCheckParts(t *testing.T) {
	for name, c := range map[string]struct {
		numbers []int
		ok      bool
	}{
		"one": {[]int{1}, true}, "gaps": {[]int{2, 70, MaxParts}, true},
		"none": {nil, false}, "zero": {[]int{0, 1}, false}, "too high": {[]int{1, MaxParts + 1}, false},
		"descending": {[]int{2, 1}, false}, "repeated": {[]int{1, 1}, false},
	} {
		var parts []Part
		for _, n := range c.numbers {
			parts = append(parts, Part{Number: n})
		}
		if err := CheckParts(parts); (err == nil) != c.ok || !c.ok && !errors.Is(err, ErrPart) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExactly(t *testing.T) {
	broke := errors.New("broke")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		r    io.Reader
		size int64
		want error
	}{
		{"exact", t.Context(), strings.NewReader("12345"), 5, nil},
		{"empty", t.Context(), strings.NewReader(""), 0, nil},
		{"end with data", t.Context(), iotest.DataErrReader(strings.NewReader("12345")), 5, nil},
		{"early", t.Context(), strings.NewReader("1234"), 5, ErrSize},
		{"early with data", t.Context(), iotest.DataErrReader(strings.NewReader("1234")), 5, ErrSize},
		{"more", t.Context(), strings.NewReader("123456"), 5, ErrSize},
		{"negative", t.Context(), strings.NewReader(""), -1, ErrSize},
		{"broke", t.Context(), io.MultiReader(strings.NewReader("12"), iotest.ErrReader(broke)), 5, broke},
		{"broke at the end", t.Context(), io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(broke)), 5, broke},
		{"cut is not early", t.Context(), iotest.ErrReader(io.ErrUnexpectedEOF), 5, io.ErrUnexpectedEOF},
		{"cancelled", cancelled, strings.NewReader("12345"), 5, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, err := io.ReadAll(Exactly(c.ctx, c.r, c.size))
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && int64(len(data)) != c.size {
				t.Errorf("got %q", data)
			}
		})
	}
}

// signer has one ability, plain has none.
type (
	plain  struct{ Store }
	signer struct{ Store }
	shell  struct{ Store }
	guard  struct {
		Store
		show bool
	}
)

func (signer) PresignGet(context.Context, string, time.Duration) (string, error) {
	return "signed", nil
}
func (s shell) Unwrap() Store { return s.Store }
func (g guard) Unwrap() Store { return g.Store }

func (g guard) Ability(target any) bool {
	if p, ok := target.(*Presigner); ok && g.show {
		*p = signer{}
		return true
	}
	return false
}

func TestAs(t *testing.T) {
	for name, c := range map[string]struct {
		s    Store
		want bool
	}{
		"nil":                   {nil, false},
		"none":                  {plain{}, false},
		"own":                   {signer{}, true},
		"not unwrappable":       {plain{signer{}}, false},
		"beneath":               {shell{shell{signer{}}}, true},
		"none beneath":          {shell{plain{}}, false},
		"guard shows":           {shell{guard{Store: plain{}, show: true}}, true},
		"guard has the last no": {shell{guard{Store: signer{}}}, false},
	} {
		p, ok := As[Presigner](c.s)
		if ok != c.want || ok != (p != nil) {
			t.Errorf("%s: got %v, %t", name, p, ok)
		}
	}
}
