package posix

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// Stream reads a directory in small pieces while names come and go in it: what was there all the time is listed once, positions stay good, and a listing
// that begins again shows what is there then. dir is an empty directory.
func Stream(t *testing.T, dir string) {
	const most = 400
	name := func(kind string, i int) string { return fmt.Sprintf("%s/%s-%04d", dir, kind, i) }
	var stable []string
	for i := range most {
		must(t, touch(name("stay", i)))
		must(t, touch(name("go", i)))
		stable = append(stable, fmt.Sprintf("stay-%04d", i))
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	var seen []dirent
	for i := 0; ; i++ {
		got, err := piece(fd)
		must(t, err)
		if len(got) == 0 {
			break
		}
		seen = append(seen, got...)
		if i < most {
			must(t, unix.Unlink(name("go", i)))
			must(t, touch(name("new", i)))
			must(t, unix.Rename(name("new", i), name("moved", i)))
		}
	}
	once(t, seen, stable)
	t.Run("positions", func(t *testing.T) { positions(t, fd, seen) })
	t.Run("again", func(t *testing.T) {
		_, err := unix.Seek(fd, 0, unix.SEEK_SET)
		must(t, err)
		var names []string
		for _, d := range remaining(t, fd) {
			names = append(names, d.name)
		}
		slices.Sort(names)
		now, err := list(place{unix.AT_FDCWD, dir}, nil)
		must(t, err)
		if got := fmt.Sprint(names[2:]); got != "["+now+"]" {
			t.Errorf("%d names, want another list", len(names))
		}
	})
}

// once wants every name of want once, and no other name twice.
func once(t *testing.T, seen []dirent, want []string) {
	t.Helper()
	times := map[string]int{}
	for _, d := range seen {
		times[d.name]++
	}
	for _, name := range append([]string{".", ".."}, want...) {
		if times[name] != 1 {
			t.Errorf("%s is listed %d times", name, times[name])
		}
	}
	for name, n := range times {
		if n > 1 {
			t.Errorf("%s is listed %d times", name, n)
		}
	}
}

// positions goes back to some entries (seekdir) and wants those behind them that stayed.
func positions(t *testing.T, fd int, seen []dirent) {
	for i := 0; i < len(seen)-1; i += 97 {
		_, err := unix.Seek(fd, seen[i].next, unix.SEEK_SET)
		must(t, err)
		var got, want []string
		for _, d := range remaining(t, fd) {
			if len(d.name) > 5 && d.name[:5] == "stay-" {
				got = append(got, d.name)
			}
		}
		for _, d := range seen[i+1:] {
			if len(d.name) > 5 && d.name[:5] == "stay-" {
				want = append(want, d.name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("behind %s there are %d names that stayed, want %d", seen[i].name, len(got), len(want))
		}
	}
}

// piece reads a few entries.
func piece(fd int) ([]dirent, error) {
	buf := make([]byte, 512)
	n, err := unix.Getdents(fd, buf)
	return parseDirents(buf[:max(n, 0)]), err
}

// remaining reads to the end.
func remaining(t *testing.T, fd int) (all []dirent) {
	t.Helper()
	for {
		got, err := piece(fd)
		must(t, err)
		if len(got) == 0 {
			return all
		}
		all = append(all, got...)
	}
}

func touch(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Links gives a file as many names as it can have, which are most, and wants EMLINK then.
func Links(t *testing.T, dir string, most int) {
	first := dir + "/first"
	must(t, touch(first))
	for i := 1; ; i++ {
		err := unix.Link(first, fmt.Sprintf("%s/%d", dir, i))
		if err == nil && i < most {
			continue
		}
		if !errors.Is(err, unix.EMLINK) || i != most {
			t.Errorf("name %d gives %v, want EMLINK after %d names", i+1, err, most)
		}
		return
	}
}
