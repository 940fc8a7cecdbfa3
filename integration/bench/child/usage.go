package child

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Peak is the most memory that the process ever had resident, in bytes (VmHWM).
func (p *Process) Peak() (int64, error) {
	now, err := p.PeakSinceMark()
	return max(p.marked, now), err
}

// MarkPeak begins to watch anew how much memory the process has resident, and returns how much that is now. It must not run beside Peak.
func (p *Process) MarkPeak() (int64, error) {
	var err error
	if p.marked, err = p.Peak(); err != nil {
		return 0, err
	}
	// Linux: 5 sets the peak to what is resident now (proc_pid_clear_refs(5)).
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0); err != nil {
		return 0, err
	}
	return p.PeakSinceMark()
}

// PeakSinceMark is the most memory that the process had resident since MarkPeak, in bytes.
func (p *Process) PeakSinceMark() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parsePeak(string(b))
}

func parsePeak(status string) (int64, error) {
	for line := range strings.Lines(status) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "VmHWM:" && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no VmHWM in the status of the process")
}

// ticksPerSecond is the unit of times in /proc/PID/stat; it is 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// CPU is the processor time that the process has used.
func (p *Process) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parseCPU(string(b))
}

// parseCPU reads utime and stime, the 12th and 13th fields behind the name, which stands in parentheses and may hold anything.
func parseCPU(stat string) (time.Duration, error) {
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(f) < 13 {
		return 0, fmt.Errorf("unexpected process state %q", stat)
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("unexpected process state %q", stat)
	}
	return time.Duration(user+system) * (time.Second / ticksPerSecond), nil
}

// quietSpan is how long a process must have been idle to count as quiet.
const quietSpan = 150 * time.Millisecond

// Quiet waits until the processes do nothing, so that what one of them put off does not disturb what is measured next. After
// patience it gives up waiting: a server that never rests is measured as it is.
func Quiet(ctx context.Context, patience time.Duration, list ...*Process) error {
	tick := time.NewTicker(quietSpan)
	defer tick.Stop()
	before := total(list)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now := total(list)
		if now-before <= time.Second/ticksPerSecond {
			return nil
		}
		before = now
	}
	return nil
}

// total is the processor time of all; one that has ended counts nothing.
func total(list []*Process) (sum time.Duration) {
	for _, p := range list {
		if d, err := p.CPU(); err == nil {
			sum += d
		}
	}
	return sum
}
