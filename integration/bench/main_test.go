package main

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		args []string
		runs int
		only []string
	}{
		{nil, 3, nil},
		{[]string{"-runs", "5"}, 5, nil},
		{[]string{"-runs", "5", "-quick"}, 1, nil},
		{[]string{"-only", "big,dav"}, 3, []string{"big", "dav"}},
		{[]string{"-s3", "-only", "large"}, 3, []string{"large"}},
		{[]string{"-growth", "-only", "wide"}, 3, []string{"wide"}},
	} {
		c, err := parse(tt.args)
		if err != nil || c.runs != tt.runs || !slices.Equal(c.only, tt.only) {
			t.Errorf("%v: %+v, %v", tt.args, c, err)
		}
	}
	for _, bad := range [][]string{{"-runs", "0"}, {"-only", "nothing"}, {"-only", "big,"}, {"-only", "large"}, {"-s3", "-only", "dav"}, {"-s3", "-growth"}, {"more"}, {"-what"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

func TestSteps(t *testing.T) {
	for _, c := range []config{{}, {s3: true}, {growth: true}} {
		checkSuite(t, c.suite())
	}
}

func checkSuite(t *testing.T, c suite) {
	t.Helper()
	all := c.targets
	var seen []string
	for _, s := range c.steps {
		if slices.Contains(seen, s.name) || s.run == nil {
			t.Errorf("step %q: twice, or without a function", s.name)
		}
		seen = append(seen, s.name)
		for _, name := range s.on {
			if !slices.Contains(all, name) {
				t.Errorf("step %s is done to %q", s.name, name)
			}
		}
		if subject := all[len(all)-1]; !slices.Contains(s.on, subject) {
			t.Errorf("step %s leaves %s out", s.name, subject)
		}
	}
}

func TestMeasures(t *testing.T) {
	for _, c := range []config{{quick: true}, {s3: true}, {growth: true}} {
		var seen []string
		for _, m := range c.suite().measures {
			if slices.Contains(seen, m.key) || m.name == "" || m.unit == "" {
				t.Errorf("measure %+v", m)
			}
			seen = append(seen, m.key)
		}
	}
}
