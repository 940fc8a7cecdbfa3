package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestMeterWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	m := newMeter(&out)
	now := m.told
	m.now = func() time.Time { return now }
	m.show(progress{What: "uploading", Done: 0, Total: 4 << 20, Bytes: true}) // too soon
	now = now.Add(meterEvery)
	m.show(progress{What: "uploading", Done: 1 << 20, Total: 4 << 20, Bytes: true})
	m.show(progress{What: "listing", Done: 7})
	now = now.Add(meterEvery)
	m.show(progress{What: "listing", Done: 1000})
	m.end()
	want := "uploading: 1.0 MiB of 4.0 MiB (25 %)\nlisting: 1000\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// A bar is drawn on one line, survives totals that grow behind it, and is gone at the end.
func TestMeterOnTerminal(t *testing.T) {
	var out bytes.Buffer
	m := newMeter(&out)
	m.terminal = true
	m.show(progress{What: "uploading", Done: 0, Total: 10, Bytes: true})
	m.show(progress{What: "uploading", Done: 10, Total: 10, Bytes: true})
	m.show(progress{What: "uploading", Done: 10, Total: 40, Bytes: true})
	m.show(progress{What: "counting", Done: 3})
	m.show(progress{What: "counting", Done: 3, Total: 2})
	m.end()
	text := out.String()
	for _, want := range []string{"uploading", "25%", "counting", "40 B"} {
		if !strings.Contains(text, want) {
			t.Errorf("the bar does not show %q: %q", want, text)
		}
	}
	if strings.Contains(text, "\n") || !strings.HasSuffix(text, "\x1b[2K\r") {
		t.Errorf("the bar leaves its line: %q", text)
	}
}
