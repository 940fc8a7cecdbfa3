package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// results are the figures of all runs.
type results struct {
	columns  []string // targets in the order of the table
	measures []measure
	samples  map[string]map[string][]float64 // by key and target
	failures []failure
}

// failure is a step that could not be done to a target.
type failure struct {
	Target string `json:"target"`
	What   string `json:"what"`
}

func newResults(columns []string, m []measure) *results {
	return &results{columns: columns, measures: m, samples: map[string]map[string][]float64{}}
}

func (r *results) measure(key string) measure {
	i := slices.IndexFunc(r.measures, func(m measure) bool { return m.key == key })
	return r.measures[i]
}

func (r *results) add(key, target string, value float64) {
	if r.samples[key] == nil {
		r.samples[key] = map[string][]float64{}
	}
	r.samples[key][target] = append(r.samples[key][target], value)
}

func (r *results) fail(target, what string) { r.failures = append(r.failures, failure{target, what}) }

// median is NaN when there are no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func (r *results) median(key, target string) float64 { return median(r.samples[key][target]) }

// measured tells whether a measure has any figure: a run may do some steps only.
func (r *results) measured(m measure) bool { return len(r.samples[m.key]) > 0 }

// subject is the target that has to reach the bars.
func (r *results) subject() string { return r.columns[len(r.columns)-1] }

// passed tells whether it reaches the bar. A figure that is missing reaches nothing.
func (r *results) passed(m measure) bool {
	if m.bar.sign == "" {
		return true
	}
	return m.bar.holds(r.median(m.key, r.subject()), r.median(m.key, m.bar.baseline))
}

// missed tells whether anything is not as it has to be.
func (r *results) missed() bool {
	bad := func(m measure) bool { return r.measured(m) && !r.passed(m) }
	return len(r.failures) > 0 || slices.ContainsFunc(r.measures, bad)
}

// table is the report in Markdown.
func (r *results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| measure | unit | %s | %s is | bar | |\n", strings.Join(r.columns, " | "), r.subject())
	b.WriteString("|---|---|" + strings.Repeat("--:|", len(r.columns)) + "---|---|---|\n")
	for _, m := range r.measures {
		if r.measured(m) {
			b.WriteString(r.row(m))
		}
	}
	for _, f := range r.failures {
		fmt.Fprintf(&b, "\nfailed on %s: %s\n", f.Target, f.What)
	}
	return b.String()
}

func (r *results) row(m measure) string {
	cells := []string{m.name, m.unit}
	for _, t := range r.columns {
		cells = append(cells, number(r.median(m.key, t)))
	}
	cells = append(cells, r.ratios(m), m.bar.String(), r.verdict(m))
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// ratios are the subject's figure over those of the baselines.
func (r *results) ratios(m measure) string {
	var list []string
	mine := r.median(m.key, r.subject())
	for _, t := range r.columns {
		if base := r.median(m.key, t); t != r.subject() && !math.IsNaN(base) && !math.IsNaN(mine) {
			list = append(list, fmt.Sprintf("%.2f %s", mine/base, t))
		}
	}
	return strings.Join(list, ", ")
}

func (r *results) verdict(m measure) string {
	switch {
	case m.bar.sign == "":
		return ""
	case r.passed(m):
		return "ok"
	}
	return "MISSED"
}

// number shows three digits, more only where they are whole.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return ""
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// saved is a measure as it goes into the file of -json.
type saved struct {
	Key     string               `json:"key"`
	Name    string               `json:"name"`
	Unit    string               `json:"unit"`
	Bar     string               `json:"bar,omitempty"`
	Passed  bool                 `json:"passed"`
	Medians map[string]float64   `json:"medians"`
	Samples map[string][]float64 `json:"samples"`
}

// save writes all figures.
func (r *results) save(path string) error {
	out := struct {
		Measures []saved   `json:"measures"`
		Failures []failure `json:"failures"`
	}{Measures: []saved{}, Failures: append([]failure{}, r.failures...)}
	for _, m := range r.measures {
		if !r.measured(m) {
			continue
		}
		s := saved{Key: m.key, Name: m.name, Unit: m.unit, Bar: m.bar.String(), Passed: r.passed(m), Medians: map[string]float64{}, Samples: r.samples[m.key]}
		for t, values := range s.Samples {
			s.Medians[t] = median(values)
		}
		out.Measures = append(out.Measures, s)
	}
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
