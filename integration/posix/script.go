package posix

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

//go:embed scripts/*.txt
var scriptFiles embed.FS

// line is one call of a script.
type line struct {
	number  int
	text    string
	verb    string
	args    []string
	wants   bool
	want    string
	differs bool // the native answer is another one
}

// outcome is what came of a line.
type outcome struct {
	answer string
	err    error
}

func (o outcome) String() string {
	if o.err == nil {
		return o.answer
	}
	var e syscall.Errno
	if errors.As(o.err, &e) {
		return unix.ErrnoName(e)
	}
	return o.err.Error()
}

// Run runs the scripts in two empty directories, native and the one under test. Where native is not on ext4, whose answers the scripts have, only what a script
// says in so many words is wanted. skips names lines, as "script:words", that are not run, with the reason.
func Run(t *testing.T, native, tested string, skips map[string]string) {
	files, err := scriptFiles.ReadDir("scripts")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(native, &st); err != nil {
		t.Fatal(err)
	}
	other := st.Type != unix.EXT4_SUPER_MAGIC
	used := map[string]bool{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".txt")
		t.Run(name, func(t *testing.T) {
			lines := readScript(t, name, skips, used)
			want := run(t, filepath.Join(native, name), lines)
			got := run(t, filepath.Join(tested, name), lines)
			for i, l := range lines {
				if other && !l.wants {
					continue
				}
				l.differs = l.differs || other
				l.judge(t, name, want[i].String(), got[i].String())
			}
		})
	}
	for what := range skips {
		if !used[what] && !testing.Short() {
			t.Logf("no line is %q any more", what)
		}
	}
}

func readScript(t *testing.T, name string, skips map[string]string, used map[string]bool) (lines []line) {
	t.Helper()
	b, err := scriptFiles.ReadFile(path.Join("scripts", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	differs := false
	for i, text := range strings.Split(string(b), "\n") {
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' {
			continue
		}
		if strings.HasPrefix(text, "differs ") {
			differs = true
			continue
		}
		if reason := skips[name+":"+text]; reason != "" {
			used[name+":"+text] = true
			continue
		}
		l := parse(text)
		l.number, l.differs = i+1, differs
		differs = false
		if verbs[l.verb] == nil {
			t.Fatalf("%s.txt:%d: there is no call %q", name, l.number, l.verb)
		}
		lines = append(lines, l)
	}
	return lines
}

func parse(text string) line {
	l := line{text: text}
	words := strings.Fields(text)
	for i, w := range words {
		if w == `""` {
			words[i] = ""
		}
	}
	if i := slices.Index(words, "want"); i >= 0 {
		l.wants, l.want, words = true, strings.Join(words[i+1:], " "), words[:i]
	}
	l.verb, l.args = words[0], words[1:]
	return l
}

// run runs all lines in a directory of their own.
func run(t *testing.T, dir string, lines []line) (out []outcome) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	err := onThread(dir, func() {
		w := newWorld()
		defer w.close()
		for _, l := range lines {
			out = append(out, w.do(l))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// do runs a line. One with too few words is the script's fault.
func (w *world) do(l line) (o outcome) {
	defer func() {
		if r := recover(); r != nil {
			o = outcome{err: fmt.Errorf("%w: %v", errUsage, r)}
		}
	}()
	answer, err := verbs[l.verb](w, l.args)
	return outcome{answer, err}
}

func (l line) judge(t *testing.T, name, native, tested string) {
	t.Helper()
	if !l.differs && l.wants && native != l.want {
		t.Errorf("%s.txt:%d: %s: the native directory says %q", name, l.number, l.text, native)
	}
	want := native
	if l.wants {
		want = l.want
	}
	if tested != want {
		t.Errorf("%s.txt:%d: %s: got %q, want %q", name, l.number, l.text, tested, want)
	}
}
