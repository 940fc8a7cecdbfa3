package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 2, 3}, 2.5},
	} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("median of nothing is a number")
	}
}

func TestBar(t *testing.T) {
	for _, tt := range []struct {
		bar             bar
		value, baseline float64
		want            bool
		text            string
	}{
		{bar{}, 1, math.NaN(), true, ""},
		{atLeast(0.5, native), 50, 100, true, ">= 0.5 native"},
		{atLeast(0.5, native), 49, 100, false, ">= 0.5 native"},
		{atMost(2, loopback), 20, 10, true, "<= 2 loopback"},
		{atMost(2, loopback), 21, 10, false, "<= 2 loopback"},
		{atMost(0.3, ""), 0.3, math.NaN(), true, "<= 0.3"},
		{bar{"<", 150, ""}, 150, math.NaN(), false, "< 150"},
		{atLeast(0.5, native), math.NaN(), 100, false, ">= 0.5 native"}, // tote was not measured
		{atLeast(0.5, native), 50, math.NaN(), false, ">= 0.5 native"},  // nor was the baseline
	} {
		if got := tt.bar.holds(tt.value, tt.baseline); got != tt.want {
			t.Errorf("%v holds(%v, %v) = %v", tt.bar, tt.value, tt.baseline, got)
		}
		if got := tt.bar.String(); got != tt.text {
			t.Errorf("bar is %q, want %q", got, tt.text)
		}
	}
}

// sample has one bar that is reached, one that is not, and a row without a bar.
func sample() *results {
	r := newResults(localSuite(config{}).targets, measures(config{}))
	for _, v := range []float64{90, 100, 110} {
		r.add(keyWrite, native, v)
		r.add(keyWrite, tote, v/2)
		r.add(keyCreate, loopback, 10*v)
		r.add(keyCreate, tote, v)
	}
	r.add(keyStat, tote, 1)
	return r
}

func TestTable(t *testing.T) {
	r := sample()
	got := r.table()
	for _, want := range []string{
		"| mount: write 1024 MiB, fsync | MiB/s | 100 |  |  | 50 | 0.50 native | >= 0.5 native | ok |",
		"|  | 1000 |  | 100 | 0.10 loopback | >= 0.5 loopback | MISSED |",
		"| mount: stat, cold | op/s |  |  |  | 1 |  |  |  |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no line %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "PROPFIND") {
		t.Error("the table shows what was not measured")
	}
}

func TestMissed(t *testing.T) {
	if !sample().missed() {
		t.Error("a missed bar went unnoticed")
	}
	r := newResults(localSuite(config{}).targets, measures(config{}))
	if r.missed() {
		t.Error("nothing measured, but something missed")
	}
	r.fail(tote, "small: no luck")
	if !r.missed() || !strings.Contains(r.table(), "failed on tote: small: no luck") {
		t.Error("a failure went unnoticed")
	}
	r = newResults(localSuite(config{}).targets, measures(config{}))
	r.add(keyWrite, native, 1) // but not tote
	if !r.missed() {
		t.Error("a row without tote passed")
	}
}

func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	if err := sample().save(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Measures []saved   `json:"measures"`
		Failures []failure `json:"failures"`
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Measures) != 3 || got.Measures[0].Medians[native] != 100 || len(got.Measures[0].Samples[tote]) != 3 {
		t.Errorf("got %+v", got)
	}
}
