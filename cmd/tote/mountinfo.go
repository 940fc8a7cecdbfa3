package main

import (
	"os"
	"strconv"
	"strings"
)

// mountEntry is one line of /proc/self/mountinfo.
type mountEntry struct {
	dir    string
	fstype string // "fuse.tote" for ours
	source string // for ours the data directory
}

const mountType = "tote" // shows as fuse.tote

// mountAt finds what is mounted on dir, which is absolute. It never touches dir itself: a dead mount answers nothing.
func mountAt(dir string) (mountEntry, bool) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return mountEntry{}, false
	}
	return findMount(string(b), dir)
}

// findMount returns the last match: a later mount covers an earlier one.
func findMount(mountinfo, dir string) (found mountEntry, ok bool) {
	for line := range strings.Lines(mountinfo) {
		left, right, cut := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !cut || len(l) < 5 || len(r) < 2 || unescapeMount(l[4]) != dir {
			continue
		}
		found, ok = mountEntry{dir: dir, fstype: r[0], source: unescapeMount(r[1])}, true
	}
	return found, ok
}

// unescapeMount decodes the octal escapes of blanks and backslashes.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
