package integration

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestScripts runs every script through every door by itself.
func TestScripts(t *testing.T) {
	s := startServer(t)
	doors := append([]Face{newCore(t)}, s.faces()...)
	for _, script := range readScripts(t) {
		for _, f := range doors {
			if !script.writes(f) {
				continue
			}
			t.Run(script.name+"/"+f.Name(), func(t *testing.T) { script.run(t, s, f, f) })
		}
	}
}

// TestCrossScripts (G1, G5) changes through one door of a server and looks through another, for all ordered pairs.
func TestCrossScripts(t *testing.T) {
	s := startServer(t)
	for _, script := range readScripts(t) {
		for _, w := range s.faces() {
			for _, r := range s.faces() {
				if w.Name() == r.Name() || !script.writes(w) {
					continue
				}
				t.Run(script.name+"/"+w.Name()+"-"+r.Name(), func(t *testing.T) { script.run(t, s, w, r) })
			}
		}
	}
}

// script is a file of testdata/script.
type script struct {
	name    string
	writers []string // doors that may change; nil is all
	lines   []line
}

// line is one command.
type line struct {
	number int
	doors  []string // runs only when both writer and reader are among these; nil is all
	verb   string
	flags  []string
	args   []string
	want   []string
	wants  bool
}

func (sc script) writes(f Face) bool {
	return sc.writers == nil || slices.Contains(sc.writers, f.Name())
}

func readScripts(t *testing.T) (all []script) {
	t.Helper()
	files, err := filepath.Glob("testdata/script/*.txt")
	check(t, err)
	if len(files) == 0 {
		t.Fatal("no scripts")
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		check(t, err)
		sc := script{name: strings.TrimSuffix(filepath.Base(f), ".txt")}
		for i, text := range strings.Split(string(b), "\n") {
			l, err := parseLine(text)
			if err != nil {
				t.Fatalf("%s:%d: %v", f, i+1, err)
			}
			l.number = i + 1
			switch l.verb {
			case "":
			case "writers":
				sc.writers = l.args
			default:
				sc.lines = append(sc.lines, l)
			}
		}
		all = append(all, sc)
	}
	return all
}

// parseLine reads "[doors] verb -flag args want answers". Words may be quoted as in Go.
func parseLine(text string) (l line, err error) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '#' {
		return l, nil
	}
	if rest, ok := strings.CutPrefix(text, "["); ok {
		doors, rest, closed := strings.Cut(rest, "]")
		if !closed {
			return l, errors.New("no ]")
		}
		l.doors, text = strings.Fields(doors), rest
	}
	words, err := splitWords(text)
	if err != nil || len(words) == 0 {
		return l, errors.Join(err, fmt.Errorf("no command in %q", text))
	}
	if i := slices.Index(words, "want"); i >= 0 {
		l.wants, l.want, words = true, words[i+1:], words[:i]
	}
	l.verb, words = words[0], words[1:]
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		l.flags, words = append(l.flags, words[0]), words[1:]
	}
	l.args = words
	return l, nil
}

func splitWords(text string) (words []string, err error) {
	for {
		text = strings.TrimLeft(text, " \t")
		if text == "" {
			return words, nil
		}
		if text[0] != '"' {
			word, rest, _ := strings.Cut(text, " ")
			words, text = append(words, word), rest
			continue
		}
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, err
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, err
		}
		words, text = append(words, word), text[len(quoted):]
	}
}

// asking are the verbs that change nothing: in cross mode they go through the second door.
var asking = []string{"get", "stat", "ls", "readlink"}

// run runs the script below a directory of its own.
func (sc script) run(t *testing.T, s *server, w, r Face) {
	t.Helper()
	root := "/" + strings.ReplaceAll(strings.TrimPrefix(t.Name(), "Test"), "/", "-")
	makeRoot(t, s, w, root)
	ran := 0
	for _, l := range sc.lines {
		f := w
		if slices.Contains(asking, l.verb) {
			f = r
		}
		if !l.speaks(w) || !l.speaks(r) {
			continue
		}
		if !has(f, l.verb) {
			sc.help(t, s, l, root)
			continue
		}
		ran++
		got, err := l.do(f, root)
		if problem := l.judge(got, err); problem != "" {
			t.Fatalf("%s.txt:%d: %s %s %q through %s: %s", sc.name, l.number, l.verb, strings.Join(l.flags, " "), l.args, f.Name(), problem)
		}
	}
	if ran == 0 {
		t.Fatal("the script has no line for this door")
	}
}

// makeRoot makes the directory of a script; a door without directories is helped.
func makeRoot(t *testing.T, s *server, w Face, root string) {
	t.Helper()
	var tree Treer = s.mount()
	if c, ok := w.(*coreFace); ok {
		tree = c
	}
	check(t, tree.Mkdir(root))
}

// help makes a change that later lines build on through WebDAV, for a writer that has no verb for it.
func (sc script) help(t *testing.T, s *server, l line, root string) {
	t.Helper()
	if l.wants || !slices.Contains([]string{"mkdir", "mv", "cp"}, l.verb) {
		return
	}
	if _, err := l.do(s.dav(), root); err != nil {
		t.Fatalf("%s.txt:%d: %s %q for another door: %v", sc.name, l.number, l.verb, l.args, err)
	}
}

func (l line) speaks(f Face) bool { return l.doors == nil || slices.Contains(l.doors, f.Name()) }

// judge compares what came with what was wanted; "" is all right.
func (l line) judge(got []string, err error) string {
	if errno := unix.Errno(0); l.wants && len(l.want) == 1 {
		if errno = errnoNamed(l.want[0]); errno != 0 {
			if isErrno(err, errno) {
				return ""
			}
			return fmt.Sprintf("got %.200q, %v, want %s", got, err, l.want[0])
		}
	}
	if err != nil {
		return err.Error()
	}
	if l.wants && !slices.Equal(got, l.expected()) {
		return fmt.Sprintf("got %.300q, want %.300q", got, l.want)
	}
	return ""
}

// expected is what is wanted, with contents written out.
func (l line) expected() []string {
	if l.verb != "get" {
		return append([]string{}, l.want...)
	}
	return []string{string(content(l.want[0]))}
}

func errnoNamed(name string) syscall.Errno {
	if len(name) < 3 || name[0] != 'E' || strings.ToUpper(name) != name {
		return 0
	}
	for n := syscall.Errno(1); n < 134; n++ {
		if unix.ErrnoName(n) == name {
			return n
		}
	}
	return 0
}

// content writes out a file's content: the word itself, or for "@SIZE:SEED" that many random bytes.
func content(word string) []byte {
	spec, ok := strings.CutPrefix(word, "@")
	if !ok {
		return []byte(word)
	}
	var size int
	var seed uint64
	if _, err := fmt.Sscanf(spec, "%d:%d", &size, &seed); err != nil {
		return []byte(word)
	}
	return randomBytes(size, seed)
}

func randomBytes(size int, seed uint64) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	b := make([]byte, size)
	rand.NewChaCha8(key).Read(b)
	return b
}

// do runs the command below root.
func (l line) do(f Face, root string) ([]string, error) {
	arg := func(i int) string {
		if i >= len(l.args) {
			return ""
		}
		return l.args[i]
	}
	path := func(i int) string { return root + strings.TrimSuffix(arg(i), "/") }
	overwrite := !slices.Contains(l.flags, "-n")
	switch l.verb {
	case "put":
		return nil, f.Put(path(0), content(arg(1)))
	case "get":
		b, err := f.Get(path(0))
		return []string{string(b)}, err
	case "rm":
		return nil, f.Remove(path(0))
	case "stat":
		i, err := f.Stat(path(0))
		if i.Dir {
			return []string{"dir"}, err
		}
		return []string{"file", itoa(i.Size)}, err
	case "mkdir":
		return nil, f.(Treer).Mkdir(path(0))
	case "ls":
		names, err := f.(Treer).List(path(0))
		return append([]string{}, names...), err
	case "mv":
		return nil, f.(Treer).Move(path(0), path(1), overwrite)
	case "cp":
		return nil, f.(Copier).Copy(path(0), path(1), overwrite)
	}
	return l.doInode(f.(Inoder), path, arg)
}

func (l line) doInode(f Inoder, path, arg func(int) string) ([]string, error) {
	switch l.verb {
	case "rmdir":
		return nil, f.Rmdir(path(0))
	case "symlink":
		return nil, f.Symlink(arg(0), path(1))
	case "readlink":
		target, err := f.Readlink(path(0))
		return []string{target}, err
	case "link":
		return nil, f.Link(path(0), path(1))
	case "append":
		return nil, f.Append(path(0), content(arg(1)))
	case "trunc":
		n, err := strconv.ParseInt(arg(1), 10, 64)
		if err != nil {
			return nil, err
		}
		return nil, f.Truncate(path(0), n)
	}
	return nil, fmt.Errorf("there is no command %q", l.verb)
}
