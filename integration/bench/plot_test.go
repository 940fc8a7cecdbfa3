package main

import (
	"encoding/xml"
	"strings"
	"testing"
)

// TestPlot wants a well-formed drawing in which every curve has a point over every tick and its name.
func TestPlot(t *testing.T) {
	p := plot{title: "a plot", unit: "s", ticks: []string{"few", "many"}, curves: []curve{{"fast", []float64{1, 2}}, {"slow", []float64{90, 100}}}}
	got := p.svg()
	if err := xml.Unmarshal([]byte(got), new(struct{ XMLName xml.Name })); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"<circle": 4, "<polyline": 2, ">fast<": 1, ">slow<": 1, ">few<": 1, ">many<": 1, ">1 s<": 1, ">100 s<": 1} {
		if n := strings.Count(got, text); n != want {
			t.Errorf("%s is there %d times instead of %d:\n%s", text, n, want, got)
		}
	}
	if high, low := height(100, 0, 2), height(1, 0, 2); high != plotTop || low != plotTop+plotVisible {
		t.Errorf("1 and 100 are at %v and %v", low, high)
	}
}

// TestChoose wants different files, the same ones whenever the same run is asked for, and names that don't collide when they are moved.
func TestChoose(t *testing.T) {
	s := choose(20_000, 500, 1)
	seen := map[any]bool{}
	for _, p := range append(s.places, s.elsewhere()...) {
		if seen[p] || p.Dir >= len(s.paths) {
			t.Errorf("%+v is there twice, or nowhere", p)
		}
		seen[p] = true
	}
	if again := choose(20_000, 500, 1); again.places[7] != s.places[7] || again.paths[3] != s.paths[3] {
		t.Error("the same run has other files")
	}
}
