package main

import (
	"encoding/xml"
	"strings"
	"testing"

	"tote/integration/bench/fsop"
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
	p.curves = append(p.curves, curve{"same", []float64{90, 100}})
	if at := p.labels(0, 2); at[2]-at[1] != labelHeight {
		t.Errorf("names of two curves with one end are at %v", at)
	}
	if high, low := height(100, 0, 2), height(1, 0, 2); high != plotTop || low != plotTop+plotVisible {
		t.Errorf("1 and 100 are at %v and %v", low, high)
	}
}

// TestChoose wants other files in every round, and names that don't collide when files are moved.
func TestChoose(t *testing.T) {
	seen := map[string]bool{}
	for round := range 5 {
		s := choose(10_000, 500, round, 7)
		for _, p := range s.places {
			if path := s.paths[p.Dir] + "/" + p.Name; seen[path] {
				t.Errorf("%s is there twice", path)
			} else {
				seen[path] = true
			}
		}
		moved := map[fsop.Place]bool{}
		for _, p := range s.elsewhere() {
			if moved[p] || p.Dir >= len(s.paths) {
				t.Errorf("%+v is there twice, or nowhere", p)
			}
			moved[p] = true
		}
	}
}
