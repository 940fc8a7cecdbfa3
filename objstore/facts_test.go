package objstore_test

import (
	"maps"
	"strings"
	"testing"

	"tote/objstore"
	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

func TestCheckFacts(t *testing.T) {
	good := map[string]string{"name": "Ü\n", "a-1": "", strings.Repeat("n", 32): "x"}
	if err := objstore.CheckFacts(good); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "A", "a_b", "a b", "é", strings.Repeat("n", 33)} {
		if objstore.CheckFacts(map[string]string{name: "x"}) == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
	if objstore.CheckFacts(map[string]string{"name": "a\xffb"}) == nil {
		t.Error("a value that is no UTF-8 was taken")
	}
}

func TestFitFacts(t *testing.T) {
	double := func(s string) string { return s + s }
	long := strings.Repeat("x", 600)
	for name, c := range map[string]struct{ in, want map[string]string }{
		"none":       {nil, map[string]string{}},
		"all":        {map[string]string{"a": "b", "c": ""}, map[string]string{"a": "bb", "c": ""}},
		"longest":    {map[string]string{"a": "b", "c": long, "d": long + "y"}, map[string]string{"a": "bb", "c": long + long}},
		"equal":      {map[string]string{"c": long, "d": long}, map[string]string{"d": long + long}},
		"exact":      {map[string]string{"abcd": strings.Repeat("x", 1022)}, map[string]string{"abcd": strings.Repeat("x", 2044)}},
		"one beyond": {map[string]string{"abcde": strings.Repeat("x", 1022)}, map[string]string{}},
	} {
		if got := objstore.FitFacts(c.in, double); !maps.Equal(got, c.want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestLimitsOf(t *testing.T) {
	if l := objstore.LimitsOf(nil); l.MinPart != 1 || l.MaxPart != 5<<30 || l.MaxKey != objstore.MaxKey || l.TreeKeys {
		t.Errorf("defaults %+v", l)
	}
	want := objstore.Limits{MinPart: 7, MaxPart: 8, MaxPut: 9, MinCopy: 10, MaxCopy: 11, MaxKey: 12, EqualParts: true}
	s := storetest.NewFault(storetest.NewTrace(memstore.NewLimited(want)))
	if got := objstore.LimitsOf(s); got != want {
		t.Errorf("through decorators: got %+v", got)
	}
}
