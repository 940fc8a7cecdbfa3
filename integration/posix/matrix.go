package posix

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// kinds are the lines that make x in the current directory, or any other name in its place.
var kinds = []struct{ name, make string }{
	{"none", ""},
	{"file", "put x hello; chmod x 0640"},
	{"dir", "mkdir x 0750"},
	{"full", "mkdir x 0750; create x/inside 0640"},
	{"link", "symlink target x"},
	{"dirlink", "symlink targetdir x"},
	{"dangling", "symlink nowhere x"},
	{"loop", "symlink x x"},
	{"fifo", "mkfifo x 0640"},
	{"socket", "bind x; chmod x 0640"},
	{"char", "mknod x char 0640 1 3"},
	{"block", "mknod x block 0640 240 240"},
}

// parents are the directories that x is in.
var parents = []struct{ name, make string }{
	{"owned", "chown . 65534 65534; chmod . 0755"},
	{"sticky", "chown . 0 0; chmod . 01777"},
	{"setgid", "chown . 65534 65533; chmod . 02775"},
	{"unwritable", "chown . 65534 65534; chmod . 0555"},
	{"unsearchable", "chown . 65534 65534; chmod . 0666"},
}

// users are who makes the call; files belong to 65534:65534.
var users = []string{"root", "65534", "65533:65534", "65532:65532,65534,65533", "65531"}

// calls are made on x.
var calls = strings.Split(strings.TrimSpace(`
open x O_RDONLY|O_NONBLOCK
open x O_WRONLY|O_NONBLOCK
open x O_RDWR|O_NONBLOCK|O_TRUNC
open x O_RDWR|O_NONBLOCK|O_CREAT 0644
open x O_RDWR|O_NONBLOCK|O_CREAT|O_EXCL 0644
open x O_RDONLY|O_NONBLOCK|O_NOFOLLOW
open x O_RDONLY|O_NONBLOCK|O_DIRECTORY
open x O_PATH|O_NOFOLLOW
open x O_TMPFILE|O_RDWR 0600
open x/ O_RDONLY|O_NONBLOCK
mkdir x 0777
mkdir x/ 0777
rmdir x
rmdir x/
unlink x
unlink x/
mkfifo x 0666
mknod x char 0666 1 3
bind x
symlink to x
readlink x
link x y
link x y FOLLOW
rename x y
rename x x
rename x x/y
rename x/ y
chmod x 0604
chmod x 06755
lchmod x 0604
chown x 65534 65534
chown x -1 65533
chown x 65533 -1
lchown x 65534 65533
chown x -1 -1
truncate x 3
utimes x null
utimes x now now
utimes x now omit
utimes x 5 6
lutimes x 5 6
access x r
access x w
access x x
access x rw NOFOLLOW
access x f
ls x
create x/new 0666
unlink x/inside
rename x/inside y
stat x/inside type mode
follow x type mode
setxattr x user.a b
lsetxattr x user.a b
getxattr x user.a
listxattr x
rmxattr x user.a
`), "\n")

// Matrix makes every call on every kind of file, in several directories, as several users, and wants the mount to do what the native directory does. Only
// one case in each is tried; nodev says that device nodes can't be opened.
func Matrix(t *testing.T, native, tested string, each int, nodev bool) {
	var cases []trial
	for _, p := range parents {
		for _, k := range kinds {
			for _, call := range calls {
				for _, u := range users {
					device := k.name == "char" || k.name == "block"
					if device && nodev && strings.HasPrefix(call, "open") {
						continue
					}
					cases = append(cases, trial{
						name:  strings.Join([]string{p.name, k.name, u, call}, ", "),
						setup: "mkdir targetdir 0750; put target hello; " + k.make + own(k.make, "x"), parent: p.make, user: u, call: call,
						look: []string{"x", "y", "target", "targetdir", "."},
					})
				}
			}
		}
	}
	compare(t, native, tested, some(cases, each))
}

// Pairs is Matrix for calls with two names.
func Pairs(t *testing.T, native, tested string, each int) {
	var cases []trial
	for _, p := range []string{"chown a 65534 65534; chmod a 0755; chown b 65534 65534; chmod b 0755", "chmod a 01777; chmod b 01777"} {
		for _, from := range kinds {
			for _, to := range kinds {
				for _, call := range []string{"rename a/x b/x", "rename a/x b/x NOREPLACE", "rename a/x b/x EXCHANGE", "link a/x b/x", "rename a/x a/z EXCHANGE"} {
					for _, u := range []string{"root", "65534", "65531"} {
						cases = append(cases, trial{
							name:   strings.Join([]string{p, from.name, to.name, u, call}, ", "),
							setup:  "mkdir a 0755; mkdir b 0755; put a/z z; " + in("a", from.make) + own(from.make, "a/x") + "; " + in("b", to.make) + own(to.make, "b/x"),
							parent: p, user: u, call: call, look: []string{"a", "b", "a/x", "b/x", "a/z"},
						})
					}
				}
			}
		}
	}
	compare(t, native, tested, some(cases, each))
}

// in puts what lines make into a directory.
func in(dir, lines string) string {
	words := strings.Fields(lines)
	for i, w := range words {
		if name := strings.TrimSuffix(w, ";"); name == "x" || name == "x/inside" {
			words[i] = dir + "/" + w
		}
	}
	return strings.Join(words, " ")
}

// own gives what lines make to a user.
func own(lines, name string) string {
	if lines == "" {
		return ""
	}
	return "; lchown " + name + " 65534 65534"
}

// trial is one call in a directory made for it.
type trial struct {
	name, setup, parent, user, call string
	look                            []string // names whose state after the call counts
}

// some takes one case in each, spread so that all values of all columns occur.
func some(cases []trial, each int) (chosen []trial) {
	for i, c := range cases {
		if (i+i/7+i/63)%each == 0 {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

func compare(t *testing.T, native, tested string, cases []trial) {
	t.Helper()
	want, got := runAll(t, native, cases), runAll(t, tested, cases)
	wrong, failing := 0, 0
	for i, c := range cases {
		if strings.HasPrefix(want[i], "E") {
			failing++
		}
		if got[i] == want[i] {
			continue
		}
		if wrong++; wrong <= 30 {
			t.Errorf("%s:\n\tgot  %s\n\twant %s", c.name, got[i], want[i])
		}
	}
	t.Logf("%d cases, %d of which fail on the native directory; %d differ", len(cases), failing, wrong)
}

func runAll(t *testing.T, dir string, cases []trial) (out []string) {
	t.Helper()
	err := onThread(dir, func() {
		w := newWorld()
		defer w.close()
		for _, c := range cases {
			out = append(out, w.try(c))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// old is the time of everything before the call, so that a time that is marked shows.
const old = "1000"

// try makes a directory, calls, and describes what came of it.
func (w *world) try(c trial) string {
	const dir = "trial"
	if err := w.all("mkdir " + dir + " 0755; chdir " + dir + "; " + c.setup + "; " + c.parent); err != nil {
		return err.Error()
	}
	for _, name := range c.look {
		_ = w.all("lutimes " + name + " " + old + " " + old)
	}
	_ = w.all("as " + c.user)
	said := w.do(parse(c.call)).String()
	_ = w.all("as root")
	for _, name := range c.look {
		said += "; " + name + ": " + state(name)
	}
	if err := w.all("chdir .."); err != nil {
		return err.Error()
	}
	if err := removeAll(place{unix.AT_FDCWD, dir}); err != nil {
		return err.Error()
	}
	return said
}

// all runs lines that have to work.
func (w *world) all(lines string) error {
	for l := range strings.SplitSeq(lines, ";") {
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		if o := w.do(parse(l)); o.err != nil {
			return fmt.Errorf("%s: %w", l, o.err)
		}
	}
	return nil
}

// state is what there is under a name; of its times, which were marked.
func state(name string) string {
	st, err := look(place{unix.AT_FDCWD, name})
	if err != nil {
		return unix.ErrnoName(err.(unix.Errno))
	}
	names := []string{"type", "mode", "uid", "gid", "nlink"}
	if kind(uint32(st.Mode)) != "dir" {
		names = append(names, "size")
	}
	s, _ := fields(st, names)
	if st.Mtime.Sec > 1000 {
		s += " m"
	}
	return s
}
