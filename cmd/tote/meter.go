package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// meterEvery is how often progress is told where there is no terminal: often enough for a log, not for a flood.
const meterEvery = 10 * time.Second

// meter shows people how far a command is: as a bar on a terminal, else as a line now and then. It belongs to one goroutine.
type meter struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	bar      *progressbar.ProgressBar // nil while none is shown
	current  progress                 // what the bar counts
	told     time.Time                // of the last line
}

// newMeter shows progress on out, which is where errors go: standard output is for results.
func newMeter(out io.Writer) *meter {
	f, ok := out.(*os.File)
	return &meter{out: out, terminal: ok && term.IsTerminal(int(f.Fd())), now: time.Now, told: time.Now()}
}

// show tells how far the command is now.
func (m *meter) show(p progress) {
	if !m.terminal {
		m.tell(p)
		return
	}
	if m.bar == nil || m.bar.IsFinished() || p.What != m.current.What || p.Bytes != m.current.Bytes {
		m.end()
		m.bar = m.newBar(p)
	}
	if total(p) != total(m.current) {
		m.bar.ChangeMax64(total(p))
	}
	m.current = p
	_ = m.bar.Set64(p.Done) // a terminal that is gone takes no bar
}

// total is the end of a bar; -1 makes it turn without one.
func total(p progress) int64 {
	if p.Total <= 0 {
		return -1
	}
	return max(p.Total, p.Done)
}

func (m *meter) newBar(p progress) *progressbar.ProgressBar {
	m.current = p
	return progressbar.NewOptions64(total(p),
		progressbar.OptionSetWriter(m.out),
		progressbar.OptionSetDescription(p.What),
		progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionSetWidth(30),
		progressbar.OptionShowBytes(p.Bytes),
		progressbar.OptionUseIECUnits(p.Bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // or it would draw from a goroutine of its own
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionClearOnFinish(),
	)
}

// tell prints a line when the last one is old enough. What takes less time than that needs none.
func (m *meter) tell(p progress) {
	now := m.now()
	if now.Sub(m.told) < meterEvery {
		return
	}
	m.told = now
	fmt.Fprintln(m.out, p)
}

// String is the progress as a line.
func (p progress) String() string {
	count := func(n int64) string { return fmt.Sprint(n) }
	if p.Bytes {
		count = size
	}
	if p.Total <= 0 {
		return fmt.Sprintf("%s: %s", p.What, count(p.Done))
	}
	return fmt.Sprintf("%s: %s of %s (%d %%)", p.What, count(p.Done), count(p.Total), percent(p.Done, p.Total))
}

func percent(done, total int64) int64 {
	return int64(float64(done) / float64(total) * 100)
}

// end takes the bar away, so that what is printed next starts on a line of its own.
func (m *meter) end() {
	if m.bar != nil {
		_ = m.bar.Clear()
		m.bar = nil
	}
}
