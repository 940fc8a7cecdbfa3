package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// goSource is a real tree of some ten thousand files: Go's own source, in short mode a part of it.
func goSource(t testing.TB) string {
	t.Helper()
	src := filepath.Join(strings.TrimSpace(command(t, "", "go", "env", "GOROOT")), "src")
	if brief() {
		src = filepath.Join(src, "net")
	}
	return src
}

// TestRsync copies a tree twice. The second run has nothing to do, and nothing differs in contents, modes, times to the nanosecond and links.
func TestRsync(t *testing.T) {
	rsync := needTool(t, "rsync")
	s := startServer(t)
	src, dst := goSource(t), filepath.Join(s.mnt, "src")
	start := time.Now()
	command(t, "", rsync, "-aH", src+"/", dst+"/")
	t.Logf("first run: %v", time.Since(start).Round(time.Millisecond))
	out := command(t, "", rsync, "-aHi", "--stats", src+"/", dst+"/")
	if n := statistic(t, out, "Number of regular files transferred"); n != 0 {
		t.Errorf("the second run transferred %d files\n%s", n, out[:min(len(out), 2000)])
	}
	if lines := regexp.MustCompile(`(?m)^[<>ch.*][fdLDS][^ ]{9} .*$`).FindAllString(out, 5); lines != nil {
		t.Errorf("the second run found changes: %q", lines)
	}
	sameTree(t, "after rsync", attributes(t, dst), attributes(t, src))
	t.Run("restart", func(t *testing.T) { // what the kernel had cached is gone
		s.stop()
		s.start()
		sameTree(t, "after a restart", attributes(t, dst), attributes(t, src))
		out := command(t, "", rsync, "-aHc", "--stats", src+"/", dst+"/")
		if n := statistic(t, out, "Number of regular files transferred"); n != 0 {
			t.Errorf("by checksum, %d files differ", n)
		}
	})
	s.checkMemory()
}

func statistic(t testing.TB, out, name string) int64 {
	t.Helper()
	m := regexp.MustCompile(name + `: ([\d,]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no %q in %s", name, tail(out, 1000))
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(m[1], ",", ""), 10, 64)
	check(t, err)
	return n
}

// attributes describes a tree with everything that rsync -a keeps.
func attributes(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := tree(t, dir)
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		found[rel] += fmt.Sprintf(" mode %o owner %d:%d time %d.%09d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			found[rel] += fmt.Sprintf(" links %d", st.Nlink)
		}
		return err
	})
	check(t, err)
	return found
}

// TestCopyArchive lets cp -a carry every kind of node there and back.
func TestCopyArchive(t *testing.T) {
	s := startServer(t)
	src := filepath.Join(tempDir(t), "src")
	zoo(t, src)
	dst := filepath.Join(s.mnt, "zoo")
	command(t, "", "cp", "-a", src, dst)
	sameTree(t, "on the mount", attributes(t, dst), attributes(t, src))
	back := filepath.Join(tempDir(t), "back")
	command(t, "", "cp", "-a", dst, back)
	sameTree(t, "and back", attributes(t, back), attributes(t, src))
	command(t, "", "cp", "-a", "--reflink=auto", dst, dst+"2")
	sameTree(t, "within the mount", attributes(t, dst+"2"), attributes(t, src))
	one, err := s.mount().Ino("/zoo/hard1")
	check(t, err)
	two, err := s.mount().Ino("/zoo/sub/hard2")
	check(t, err)
	if one != two {
		t.Error("hard links became two files")
	}
	if used := diskUse(t, s.data); used > 80<<20 && !onS3() { // where they have been read into the cache
		t.Errorf("three sparse files of 64 MiB and little else use %d MiB of the disk", used>>20)
	}
	command(t, "", "rm", "-r", dst, dst+"2")
}

// diskUse is how much the files below dir take on the disk. A server that works there moves files from staging to their place while we look.
func diskUse(t testing.TB, dir string) (n int64) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &st)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		n += st.Blocks * 512
		return err
	}))
	return n
}

// zoo makes one of each kind of node.
func zoo(t testing.TB, dir string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Join(dir, "sub", "empty"), 0o750))
	at := func(name string) string { return filepath.Join(dir, name) }
	check(t, os.WriteFile(at("empty"), nil, 0o600))
	check(t, os.WriteFile(at("small"), []byte("small"), 0o444))
	check(t, os.WriteFile(at("big"), randomBytes(5<<20+123, 1), 0o755))
	check(t, os.WriteFile(at("hard1"), []byte("one file"), 0o640))
	check(t, os.Link(at("hard1"), at("sub/hard2")))
	check(t, os.Symlink("small", at("link")))
	check(t, os.Symlink("/nowhere/at all", at("sub/dangling")))
	check(t, os.WriteFile(at("sparse"), nil, 0o644))
	check(t, os.Truncate(at("sparse"), 64<<20))
	check(t, os.WriteFile(at("sub/größe \n 文件"), []byte("name"), 0o644))
	if os.Geteuid() == 0 {
		check(t, unix.Mkfifo(at("fifo"), 0o620))
		check(t, unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		check(t, os.Chown(at("small"), 1234, 5678))
		check(t, os.Chmod(at("big"), 0o755|fs.ModeSetuid))
		check(t, os.Lchown(at("link"), 1, 2))
	}
	old := time.Date(2001, 2, 3, 4, 5, 6, 123456789, time.UTC)
	for i, name := range []string{"small", "big", "empty", "hard1", "sub/empty", "sub"} {
		check(t, os.Chtimes(at(name), old, old.Add(time.Duration(i)*time.Hour+7)))
	}
}

// TestNodes makes what only root can make, and uses it: a fifo connects two processes, a device is one.
func TestNodes(t *testing.T) {
	needRoot(t)
	s := startServer(t)
	fifo := s.mount().at("/fifo")
	check(t, unix.Mkfifo(fifo, 0o600))
	done := make(chan string, 1)
	go func() {
		b, _ := os.ReadFile(fifo)
		done <- string(b)
	}()
	check(t, os.WriteFile(fifo, []byte("through the pipe"), 0))
	if got := <-done; got != "through the pipe" {
		t.Errorf("the fifo gave %q", got)
	}
	fi, err := os.Lstat(fifo)
	check(t, err)
	if fi.Mode() != fs.ModeNamedPipe|0o600 {
		t.Errorf("the fifo is %v", fi.Mode())
	}
	names, err := s.dav().List("/")
	check(t, err)
	if len(names) != 0 {
		t.Errorf("WebDAV shows %q", names)
	}
	check(t, os.Remove(fifo))
}

// TestMmap maps files of the mount: reading, changing through a shared mapping with msync, and a mapping that outlives its descriptor.
func TestMmap(t *testing.T) {
	for _, mode := range [][]string{nil, {"--no-passthrough"}} {
		t.Run(strings.Join(append([]string{"default"}, mode...), ""), func(t *testing.T) {
			s := startServer(t, withArgs(mode...))
			want := randomBytes(3<<20+77, 5)
			check(t, s.dav().Put("/f", want))
			f, err := os.OpenFile(s.mount().at("/f"), os.O_RDWR, 0)
			check(t, err)
			p, err := unix.Mmap(int(f.Fd()), 0, len(want), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			check(t, err)
			if sum(p) != sum(want) {
				t.Error("a mapping reads other bytes")
			}
			copy(p[1<<20:], "changed through the mapping")
			copy(want[1<<20:], "changed through the mapping")
			check(t, unix.Msync(p, unix.MS_SYNC))
			check(t, f.Close())
			for _, face := range s.faces() {
				got, err := face.Get("/f")
				check(t, err)
				if sum(got) != sum(want) {
					t.Errorf("after msync and close %s reads %s", face.Name(), difference(got, want))
				}
			}
			copy(p[2<<20:], "and after close")
			copy(want[2<<20:], "and after close")
			check(t, unix.Munmap(p))
			eventually(t, 10*time.Second, func() error {
				got, err := s.dav().Get("/f")
				if err == nil && sum(got) != sum(want) {
					err = fmt.Errorf("after munmap WebDAV reads %s", difference(got, want))
				}
				return err
			})
		})
	}
}

// TestGit clones a repository with a history onto the mount, works there, and lets git check it.
func TestGit(t *testing.T) {
	git := needTool(t, "git")
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	t.Setenv("GIT_CONFIG_SYSTEM", "/dev/null")
	for _, k := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+k+"_NAME", "T")
		t.Setenv("GIT_"+k+"_EMAIL", "t@example.net")
	}
	s := startServer(t)
	origin := filepath.Join(tempDir(t), "origin")
	makeHistory(t, git, origin)
	work := filepath.Join(s.mnt, "work")
	command(t, "", git, "clone", "-q", "--no-hardlinks", "-c", "core.fsync=all", "file://"+origin, work)
	in := func(args ...string) string { t.Helper(); return command(t, work, git, args...) }
	in("fsck", "--full", "--strict")
	if out := in("status", "--porcelain"); out != "" {
		t.Errorf("a fresh clone is not clean: %s", out)
	}
	check(t, os.WriteFile(filepath.Join(work, "new"), []byte("new"), 0o644))
	check(t, os.Remove(filepath.Join(work, "d3", "f3-1")))
	in("checkout", "-q", "-b", "topic")
	in("add", "-A")
	in("commit", "-q", "-m", "on the mount")
	in("gc", "-q", "--aggressive", "--prune=now")
	in("fsck", "--full", "--strict")
	in("checkout", "-q", "HEAD~3")
	in("checkout", "-q", "topic")
	in("push", "-q", "origin", "topic")
	if got, want := command(t, origin, git, "rev-parse", "topic"), in("rev-parse", "HEAD"); got != want {
		t.Errorf("pushed %s, have %s", got, want)
	}
	s.stop()
	s.start()
	in("fsck", "--full", "--strict")
	if out := in("status", "--porcelain"); out != "" {
		t.Errorf("after a restart: %s", out)
	}
}

// TestSoakGit is TestGit with a work tree of 50,000 files, and a second one beside it.
func TestSoakGit(t *testing.T) {
	needSoak(t)
	git := needTool(t, "git")
	s := startServer(t)
	work := filepath.Join(s.mnt, "work")
	for i := range 50_000 {
		dir := filepath.Join(work, fmt.Sprintf("d%d/e%d", i%50, i/1000))
		check(t, os.MkdirAll(dir, 0o755))
		check(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), fmt.Appendf(nil, "file %d\n", i), 0o644))
	}
	in := func(args ...string) string {
		t.Helper()
		return command(t, work, git, append([]string{"-c", "user.name=T", "-c", "user.email=t@example.net", "-c", "gc.auto=0"}, args...)...)
	}
	in("init", "-q")
	in("add", "-A")
	in("commit", "-q", "-m", "fifty thousand")
	in("worktree", "add", "-q", "../second")
	in("clone", "-q", "--no-hardlinks", ".", "../clone")
	in("gc", "-q", "--prune=now")
	in("fsck", "--full", "--strict")
	for _, dir := range []string{".", "../second", "../clone"} {
		if out := in("-C", dir, "status", "--porcelain"); out != "" {
			t.Errorf("%s is not clean: %s", dir, tail(out, 500))
		}
	}
	s.checkMemory()
}

// makeHistory makes a bare repository of 500 files and eight commits.
func makeHistory(t testing.TB, git, dir string) {
	t.Helper()
	work := dir + ".work"
	check(t, os.MkdirAll(work, 0o755))
	command(t, work, git, "init", "-q", "-b", "main")
	rnd := rand.New(rand.NewPCG(3, 4))
	for c := range 8 {
		for d := range 10 {
			check(t, os.MkdirAll(filepath.Join(work, fmt.Sprintf("d%d", d)), 0o755))
			for f := range 50 {
				if c > 0 && rnd.IntN(4) > 0 {
					continue
				}
				name := filepath.Join(work, fmt.Sprintf("d%d/f%d-%d", d, d, f))
				text := strings.Repeat(fmt.Sprintf("line %d of commit %d\n", f, c), rnd.IntN(300))
				check(t, os.WriteFile(name, []byte(text), 0o644))
			}
		}
		command(t, work, git, "add", "-A")
		command(t, work, git, "commit", "-q", "-m", fmt.Sprintf("commit %d", c))
	}
	command(t, "", git, "clone", "-q", "--bare", work, dir)
}

// TestSqlite lets SQLite work on the mount in both kinds of journal, also with several processes at once.
func TestSqlite(t *testing.T) {
	sqlite := needTool(t, "sqlite3")
	for _, mode := range [][]string{nil, {"--no-passthrough"}} {
		s := startServer(t, withArgs(mode...))
		for _, journal := range []string{"delete", "wal"} {
			t.Run(strings.Join(append([]string{journal}, mode...), ""), func(t *testing.T) {
				runSqlite(t, s, sqlite, filepath.Join(s.mnt, journal+".db"), journal)
			})
		}
	}
}

func runSqlite(t *testing.T, s *server, sqlite, db, journal string) {
	sql := func(text string) string {
		t.Helper()
		return strings.TrimSpace(command(t, "", sqlite, "-bail", "-cmd", ".timeout 60000", db, text))
	}
	if got := sql("pragma journal_mode=" + journal); got != journal {
		t.Fatalf("journal_mode is %s, want %s", got, journal)
	}
	sql("create table t(k integer primary key, who text, v blob)")
	sql("begin; with recursive n(i) as (select 1 union all select i+1 from n where i<2000) insert into t select i,'first',randomblob(500) from n; commit")
	const writers, rows = 3, 60
	errs := make(chan error, writers)
	for w := range writers {
		go func() {
			var text strings.Builder
			for i := range rows {
				fmt.Fprintf(&text, "begin immediate; insert into t(who,v) values('w%d',randomblob(%d)); update t set v=randomblob(100) where k=%d; commit;\n", w, i*10, i+1)
			}
			out, err := tryCommand(t.Context(), "", sqlite, "-bail", "-cmd", ".timeout 60000", db, text.String())
			if err != nil {
				err = fmt.Errorf("writer %d: %w\n%s", w, err, tail(out, 500))
			}
			errs <- err
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got, want := sql("select count(*) from t"), strconv.Itoa(2000+writers*rows); got != want {
		t.Errorf("%s rows, want %s", got, want)
	}
	if got := sql("pragma integrity_check"); got != "ok" {
		t.Errorf("integrity_check: %s", got)
	}
	sql("delete from t where k%2=0; vacuum")
	if got := sql("pragma integrity_check"); got != "ok" {
		t.Errorf("integrity_check after vacuum: %s", got)
	}
	s.stop()
	s.start()
	if got := sql("pragma integrity_check"); got != "ok" {
		t.Errorf("integrity_check after a restart: %s", got)
	}
}
