package integration

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// xattrs lists the extended attributes of everything below dir that a program may copy.
func xattrs(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	check(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		list := make([]byte, 4096)
		n, lerr := unix.Llistxattr(path, list)
		for name := range strings.SplitSeq(string(list[:max(n, 0)]), "\x00") {
			value := make([]byte, 70_000)
			if name == "" || strings.HasPrefix(name, "user.tote.") {
				continue
			}
			m, gerr := unix.Lgetxattr(path, name, value)
			found[rel+" "+name] = sum(value[:max(m, 0)])
			lerr = errors.Join(lerr, gerr)
		}
		return errors.Join(err, lerr)
	}))
	return found
}

// labelled is a zoo with extended attributes.
func labelled(t *testing.T) string {
	t.Helper()
	src := filepath.Join(tempDir(t), "src")
	zoo(t, src)
	for i, name := range []string{"big", "empty", "hard1", "sub"} {
		at := filepath.Join(src, name)
		var st unix.Stat_t
		check(t, unix.Stat(at, &st))
		check(t, unix.Setxattr(at, "user.note", bytes.Repeat([]byte{0, byte(i), 255}, 10+i*300), 0))
		check(t, unix.Setxattr(at, "user.empty", nil, 0))
		check(t, unix.UtimesNanoAt(unix.AT_FDCWD, at, []unix.Timespec{st.Atim, st.Mtim}, 0))
	}
	return src
}

// sameAs compares all that an archive keeps.
func sameAs(t *testing.T, what, got, want string) {
	t.Helper()
	sameTree(t, what, attributes(t, got), attributes(t, want))
	sameTree(t, what+", extended attributes", xattrs(t, got), xattrs(t, want))
}

// TestRsyncInPlace lets rsync keep a copy on the mount with all the options that change files where they are.
func TestRsyncInPlace(t *testing.T) {
	rsync := needTool(t, "rsync")
	s := startServer(t)
	src, dst := labelled(t), filepath.Join(s.mnt, "copy")
	run := func(more ...string) {
		t.Helper()
		args := append([]string{"-aHAX", "--delete", "--partial"}, more...)
		command(t, "", rsync, append(args, src+"/", dst+"/")...)
		what := "rsync " + strings.Join(args, " ")
		sameTree(t, what, described(t, dst), described(t, src)) // with -X, rsync does not keep the times of all kinds of nodes anywhere
		sameTree(t, what+", extended attributes", xattrs(t, dst), xattrs(t, src))
	}
	run("--inplace")
	at := func(name string) string { return filepath.Join(src, name) }
	f, err := os.OpenFile(at("big"), os.O_RDWR, 0)
	check(t, err)
	_, err = f.WriteAt(randomBytes(100_000, 3), 2<<20)
	check(t, errors.Join(err, f.Close()))
	check(t, os.Remove(at("sub/dangling")))
	check(t, os.Rename(at("small"), at("sub/moved")))
	check(t, os.WriteFile(at("new"), randomBytes(300_000, 4), 0o600))
	run("--inplace", "--no-whole-file")
	f, err = os.OpenFile(at("big"), os.O_WRONLY|os.O_APPEND, 0)
	check(t, err)
	_, err = f.Write(randomBytes(1<<20, 5))
	check(t, errors.Join(err, f.Close()))
	check(t, os.Truncate(filepath.Join(dst, "new"), 100_000)) // as a run that was cut off leaves it
	run("--append-verify")
	check(t, os.RemoveAll(at("sub")))
	run("--append-verify", "--inplace")
}

// TestTarXattrs packs a tree on the mount and unpacks it there, with extended attributes, sparse files and hard links.
func TestTarXattrs(t *testing.T) {
	tarProgram := needTool(t, "tar")
	s := startServer(t)
	src, dst := labelled(t), filepath.Join(s.mnt, "dst")
	archive := filepath.Join(s.mnt, "a.tar.gz")
	command(t, "", tarProgram, "--xattrs", "--xattrs-include=user.*", "--sparse", "-czpf", archive, "-C", src, ".")
	check(t, os.Mkdir(dst, 0o755))
	command(t, "", tarProgram, "--xattrs", "--xattrs-include=user.note", "--xattrs-include=user.empty", "-xpf", archive, "-C", dst)
	sameAs(t, "unpacked", dst, src)
	command(t, "", tarProgram, "--compare", "-f", archive, "-C", dst)
}

// TestUnzip unpacks an archive on the mount, over what is there.
func TestUnzip(t *testing.T) {
	unzip := needTool(t, "unzip")
	s := startServer(t)
	archive := filepath.Join(s.mnt, "a.zip")
	want := map[string]string{}
	f, err := os.Create(archive)
	check(t, err)
	z := zip.NewWriter(f)
	for i := range 100 {
		name := fmt.Sprintf("d%d/größe %d.txt", i%7, i)
		want[name] = strings.Repeat(fmt.Sprintln(i), i*i)
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Unix(1e9, 0)}
		h.SetMode(0o640)
		w, err := z.CreateHeader(h)
		check(t, err)
		_, err = w.Write([]byte(want[name]))
		check(t, err)
	}
	check(t, errors.Join(z.Close(), f.Close()))
	command(t, s.mnt, unzip, "-tq", archive)
	for range 2 { // new, and over what is there
		command(t, s.mnt, unzip, "-oq", archive, "-d", "out")
	}
	for name, text := range want {
		wantGet(t, s.mount(), "/out/"+name, text)
	}
	fi, err := os.Stat(filepath.Join(s.mnt, "out/d1/größe 1.txt"))
	check(t, err)
	if fi.Mode() != 0o640 || fi.ModTime().Unix() != 1e9 {
		t.Errorf("mode %v, time %v", fi.Mode(), fi.ModTime())
	}
}

// TestVim saves a file with vim in each of its ways: over the old one, by renaming it to the backup, with an undo file, and with a swap file beside it.
func TestVim(t *testing.T) {
	vim := needTool(t, "vim")
	s := startServer(t)
	for _, backup := range []string{"no", "yes", "auto"} {
		name := filepath.Join(s.mnt, backup+".txt")
		check(t, os.WriteFile(name, []byte("one\ntwo\n"), 0o640))
		var want strings.Builder
		want.WriteString("one\ntwo\n")
		for i := range 3 {
			old := want.String()
			fmt.Fprintln(&want, "line", i)
			command(t, s.mnt, vim, "-u", "NONE", "-i", "NONE", "-es",
				"--cmd", "set backup writebackup undofile swapfile directory=. backupdir=. backupskip= undodir=. fsync backupcopy="+backup,
				"-c", fmt.Sprintf("$put='line %d'", i), "-c", "preserve", "-c", "wq", name)
			wantGet(t, s.mount(), "/"+backup+".txt", want.String())
			wantGet(t, s.dav(), "/"+backup+".txt~", old)
		}
		if fi, err := os.Stat(name); err != nil || fi.Mode() != 0o640 {
			t.Errorf("backupcopy=%s: mode %v, %v", backup, fi.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.mnt, ".*.sw?")); len(left) > 0 {
		t.Errorf("swap files are left: %q", left)
	}
}

// TestDpkg builds a Debian package on the mount and unpacks it there.
func TestDpkg(t *testing.T) {
	dpkg := needTool(t, "dpkg-deb")
	s := startServer(t)
	tree := filepath.Join(s.mnt, "pkg")
	for name, text := range map[string]string{
		"DEBIAN/control":    "Package: probe\nVersion: 1.0\nArchitecture: all\nMaintainer: T <t@example.net>\nDescription: probe\n",
		"usr/bin/probe":     "#!/bin/sh\necho probe\n",
		"usr/share/probe/a": strings.Repeat("a", 200_000),
	} {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755))
		check(t, os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644))
	}
	check(t, os.Chmod(filepath.Join(tree, "usr/bin/probe"), 0o755))
	check(t, os.Symlink("../share/probe/a", filepath.Join(tree, "usr/bin/link")))
	command(t, s.mnt, dpkg, "--root-owner-group", "--build", "pkg", "probe.deb")
	command(t, s.mnt, dpkg, "--extract", "probe.deb", "out")
	check(t, os.RemoveAll(filepath.Join(tree, "DEBIAN")))
	sameTree(t, "unpacked", described(t, filepath.Join(s.mnt, "out")), described(t, tree))
	if out := command(t, s.mnt, filepath.Join(s.mnt, "out/usr/bin/probe")); out != "probe\n" {
		t.Errorf("the program says %q", out)
	}
}

// TestGoBuild builds a program of two packages with the sources, the build cache and the result on the mount, and runs it.
func TestGoBuild(t *testing.T) {
	s := startServer(t)
	for name, text := range map[string]string{
		"go.mod":        "module probe\n\ngo 1.26\n",
		"main.go":       "package main\n\nimport \"probe/lib\"\n\nfunc main() { print(lib.Text) }\n",
		"lib/l.go":      "package lib\n\nconst Text = \"built\"\n",
		"lib/x_test.go": "package lib\n",
	} {
		check(t, os.MkdirAll(filepath.Dir(s.mount().at("/src/"+name)), 0o755))
		check(t, os.WriteFile(s.mount().at("/src/"+name), []byte(text), 0o644))
	}
	for range 2 { // the second time from the cache
		check(t, goBuild(t, s, s.mount().at("/src"), "../out", "."))
		out, err := exec.Command(s.mount().at("/out")).CombinedOutput()
		if err != nil || string(out) != "built" {
			t.Errorf("the program says %q, %v", out, err)
		}
	}
}

// goBuild builds in dir with a build cache on the mount.
func goBuild(t *testing.T, s *server, dir, to string, what ...string) error {
	t.Helper()
	env := []string{"GOCACHE=" + s.mount().at("/cache"), "GOTMPDIR=" + s.mnt, "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0"}
	out, err := tryWith(t.Context(), env, dir, "go", append([]string{"build", "-o", to}, what...)...)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(out, 2000))
	}
	return nil
}

// TestSoakGoBuild builds the go command itself from a copy of Go's source on the mount, and runs it.
func TestSoakGoBuild(t *testing.T) {
	needSoak(t)
	s := startServer(t)
	root := strings.TrimSpace(command(t, "", "go", "env", "GOROOT"))
	command(t, "", "cp", "-a", "--reflink=auto", root+"/src", s.mount().at("/src"))
	check(t, goBuild(t, s, s.mount().at("/src/cmd/go"), s.mount().at("/gocmd"), "."))
	command(t, "", s.mount().at("/gocmd"), "version")
}

// TestImage unpacks the layer of a container image as root: devices, whiteouts, set-user-id programs, hard links. Capabilities of files are refused, which
// tar and those who unpack images take note of: the mount is nosuid, where they have no effect.
func TestImage(t *testing.T) {
	needRoot(t)
	tarProgram := needTool(t, "tar")
	s := startServer(t)
	layer := filepath.Join(tempDir(t), "layer.tar")
	check(t, os.WriteFile(layer, imageLayer(t), 0o600))
	native, mnt := filepath.Join(tempDir(t), "root"), filepath.Join(s.mnt, "root")
	for _, dir := range []string{native, mnt} {
		check(t, os.Mkdir(dir, 0o755))
		out := command(t, dir, tarProgram, "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", layer)
		for line := range strings.Lines(out) {
			if !strings.Contains(line, "Cannot set 'security.capability' extended attribute") {
				t.Errorf("tar in %s says: %s", dir, line)
			}
		}
	}
	if err := unix.Removexattr(filepath.Join(native, "bin/ping"), "security.capability"); !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP) {
		check(t, err)
	}
	sameAs(t, "unpacked", mnt, native)
	s.stop()
	s.start()
	sameAs(t, "after a restart", mnt, native)
}

// imageLayer is what an image builder could make.
func imageLayer(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	capability := string([]byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // cap_net_raw+ep
	for _, h := range []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o750},
		{Name: "bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "bin/su", Mode: 0o4755, Size: 5000},
		{Name: "bin/wall", Mode: 0o2755, Size: 10, Gid: 5},
		{Name: "bin/ping", Mode: 0o755, Size: 3000, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": capability}},
		{Name: "bin/again", Typeflag: tar.TypeLink, Linkname: "bin/su"},
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: "dev/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "dev/null", Typeflag: tar.TypeChar, Mode: 0o666, Devmajor: 1, Devminor: 3},
		{Name: "dev/sda", Typeflag: tar.TypeBlock, Mode: 0o660, Devmajor: 8, Gid: 6},
		{Name: "dev/initctl", Typeflag: tar.TypeFifo, Mode: 0o600},
		{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755, PAXRecords: map[string]string{"SCHILY.xattr.trusted.overlay.opaque": "y"}},
		{Name: "etc/removed", Typeflag: tar.TypeChar, Mode: 0o600}, // a whiteout of overlayfs
		{Name: "etc/.wh.passwd", Mode: 0o600},                      // and one of an image
		{Name: "etc/mtab", Typeflag: tar.TypeSymlink, Linkname: "/proc/self/mounts", Mode: 0o777, Uid: 1, Gid: 2},
		{Name: strings.Repeat("n", 200) + "/", Typeflag: tar.TypeDir, Mode: 0o700, Uid: 1000, Gid: 1000},
	} {
		h.ModTime, h.Format = time.Unix(1_500_000_000, 123456789), tar.FormatPAX
		check(t, w.WriteHeader(&h))
		_, err := w.Write(randomBytes(int(h.Size), 1))
		check(t, err)
	}
	check(t, w.Close())
	return b.Bytes()
}
