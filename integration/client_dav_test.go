package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// davTree is what every WebDAV client leaves behind: a file made, changed, moved into a folder and copied there, and another one deleted.
func wantDavTree(t *testing.T, s *server, dir string) {
	t.Helper()
	for _, f := range []Face{s.mount(), s.dav()} {
		wantGet(t, f, dir+"/sub dir/ü b.txt", "hello\nmore\n")
		wantGet(t, f, dir+"/sub dir/copy.txt", "hello\nmore\n")
	}
	names, err := s.mount().List(dir)
	check(t, err)
	if fmt.Sprint(names) != "[sub dir]" {
		t.Errorf("%s holds %q", dir, names)
	}
}

// TestClientRcloneDAV copies a tree with the habits of the three kinds of server that rclone knows, and compares it: times, checksums, free space.
func TestClientRcloneDAV(t *testing.T) {
	rclone := needTool(t, "rclone")
	s := startServer(t)
	dir := tempDir(t)
	password := strings.TrimSpace(command(t, "", rclone, "obscure", adminPassword))
	for vendor, url := range map[string]string{"other": "/dav", "owncloud": "/dav", "nextcloud": "/remote.php/dav/files/" + adminUser} {
		t.Run(vendor, func(t *testing.T) {
			src := filepath.Join(dir, vendor, "src")
			check(t, os.MkdirAll(filepath.Join(src, "sub dir"), 0o700))
			for name, size := range map[string]int{"empty": 0, "small ü.txt": 11, "sub dir/big.bin": 3<<20 + 5} {
				check(t, os.WriteFile(filepath.Join(src, name), randomBytes(size, 3), 0o600))
			}
			conf := filepath.Join(dir, vendor+".conf")
			text := fmt.Sprintf("[r]\ntype = webdav\nvendor = %s\nurl = %s%s\nuser = %s\npass = %s\nnextcloud_chunk_size = 1M\n", vendor, s.base, url, adminUser, password)
			check(t, os.WriteFile(conf, []byte(text), 0o600))
			run := func(args ...string) string {
				t.Helper()
				args = append([]string{"--config", conf, "--retries", "1", "--low-level-retries", "1"}, args...)
				out, err := tryWith(t.Context(), nil, dir, rclone, args...)
				if err != nil {
					t.Fatalf("rclone %s: %v\n%s", args, err, tail(out, 4000))
				}
				return out
			}
			to := "r:" + vendor
			run("copy", src, to)
			out := run("check", "--download", src, to)
			if !strings.Contains(out, "0 differences found") {
				t.Errorf("check: %s", out)
			}
			if vendor != "other" {
				if out := run("check", src, to); strings.Contains(out, "could not be checked") {
					t.Errorf("checksums: %s", out)
				}
				if out := run("copy", "-v", src, to); strings.Contains(out, "Copied (") {
					t.Errorf("a second copy sends again: %s", out)
				}
			}
			if out := run("about", "r:"); !strings.Contains(out, "Free:") {
				t.Errorf("about: %s", out)
			}
			check(t, os.WriteFile(filepath.Join(src, "small ü.txt"), []byte("another length"), 0o600))
			check(t, os.Rename(filepath.Join(src, "empty"), filepath.Join(src, "renamed")))
			run("sync", src, to)
			if out := run("check", "--download", src, to); !strings.Contains(out, "0 differences found") {
				t.Errorf("check after sync: %s", out)
			}
			run("move", to+"/sub dir", to+"/moved")
			run("copy", to, "r:"+vendor+"2")
			run("purge", to)
			check(t, os.RemoveAll(filepath.Join(dir, "back")))
			run("copy", "r:"+vendor+"2/moved", filepath.Join(dir, "back"))
			command(t, "", "cmp", filepath.Join(src, "sub dir/big.bin"), filepath.Join(dir, "back/big.bin"))
		})
	}
}

// TestClientCadaver does a session of a command-line client, with locks and properties.
func TestClientCadaver(t *testing.T) {
	cadaver := needTool(t, "cadaver")
	s := startServer(t)
	home := tempDir(t)
	netrc := "machine 127.0.0.1 login " + adminUser + " password \"" + adminPassword + "\"\n"
	check(t, os.WriteFile(filepath.Join(home, ".netrc"), []byte(netrc), 0o600))
	check(t, os.WriteFile(filepath.Join(home, "a.txt"), []byte("hello\n"), 0o600))
	check(t, os.WriteFile(filepath.Join(home, "more.txt"), []byte("hello\nmore\n"), 0o600))
	script := `mkcol c
cd c
mkcol "sub dir"
put a.txt
lock a.txt
put more.txt a.txt
discover a.txt
unlock a.txt
propset a.txt colour green
propget a.txt colour
move a.txt "sub dir/ü b.txt"
copy "sub dir/ü b.txt" "sub dir/copy.txt"
put a.txt gone.txt
delete gone.txt
ls "sub dir"
quit
`
	check(t, os.WriteFile(filepath.Join(home, "script"), []byte(script), 0o600))
	out, err := tryWith(t.Context(), []string{"HOME=" + home, "LC_ALL=C.UTF-8"}, home, "sh", "-c", cadaver+" "+s.base+"/dav/ < script")
	if err != nil || strings.Contains(out, "failed") || !strings.Contains(out, "green") || !strings.Contains(out, "urn:uuid:") {
		t.Fatalf("%v\n%s", err, out)
	}
	wantDavTree(t, s, "/c")
}

// TestClientDavfs mounts the share with davfs2, which locks what it writes, and works on it as on a disk.
func TestClientDavfs(t *testing.T) {
	needRoot(t)
	mount := needTool(t, "mount.davfs")
	s := startServer(t)
	dir := tempDir(t)
	mnt := filepath.Join(dir, "mnt")
	check(t, os.Mkdir(mnt, 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "secrets"), fmt.Appendf(nil, "%s/dav/ %s \"%s\"\n", s.base, adminUser, adminPassword), 0o600))
	conf := "ask_auth 0\nuse_locks 1\ndelay_upload 0\nbuf_size 256\nsecrets " + filepath.Join(dir, "secrets") + "\n"
	check(t, os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o600))
	command(t, "", mount, s.base+"/dav/", mnt, "-o", "rw,conf="+filepath.Join(dir, "conf"))
	mounted := true
	t.Cleanup(func() {
		if mounted { // the test has failed, and its context has ended
			_ = exec.Command("umount", "-l", mnt).Run()
		}
	})
	if out, err := tryWith(t.Context(), []string{"LC_ALL=C.UTF-8"}, mnt, "sh", "-c", mountWork, "sh", "d"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	command(t, "", "umount", mnt) // returns when all is sent
	mounted = false
	wantDavTree(t, s, "/d")
}

// TestClientGvfs is what a GNOME file manager does.
func TestClientGvfs(t *testing.T) {
	needTool(t, "gio")
	session := needTool(t, "dbus-run-session")
	if _, err := os.Stat("/usr/lib/gvfs/gvfsd-dav"); err != nil {
		if _, err := os.Stat("/usr/libexec/gvfsd-dav"); err != nil {
			skip(t, "gvfs-backends is not installed")
		}
	}
	s := startServer(t)
	dir := tempDir(t)
	root := "dav://" + adminUser + "@" + strings.TrimPrefix(s.base, "http://") + "/dav"
	script := `set -e
printf '%s\n' "$PASSWORD" | gio mount "$ROOT"
gio mkdir "$ROOT/g"
gio mkdir "$ROOT/g/sub dir"
printf 'hello\n' > a.txt
gio copy a.txt "$ROOT/g/a.txt"
printf 'hello\nmore\n' | gio save "$ROOT/g/a.txt"
gio info "$ROOT/g/a.txt" | grep etag
gio rename "$ROOT/g/a.txt" "ü b.txt"
gio move "$ROOT/g/ü b.txt" "$ROOT/g/sub dir/ü b.txt"
gio copy "$ROOT/g/sub dir/ü b.txt" "$ROOT/g/sub dir/copy.txt"
gio copy a.txt "$ROOT/g/gone"
gio remove "$ROOT/g/gone"
gio list "$ROOT/g/sub dir"
gio cat "$ROOT/g/sub dir/copy.txt"
gio info -f "$ROOT/g" | grep filesystem::free
`
	env := []string{"ROOT=" + root, "PASSWORD=" + adminPassword, "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "GVFS_DISABLE_FUSE=1", "LC_ALL=C.UTF-8"}
	out, err := tryWith(t.Context(), env, dir, session, "--", "sh", "-c", script)
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(out, 4000))
	}
	wantDavTree(t, s, "/g")
}

// mountWork is what people do on a mounted share, in a new folder $1.
const mountWork = `set -e
mkdir $1 "$1/sub dir"
echo hello > $1/a.txt
cat $1/a.txt
echo more >> $1/a.txt
mv $1/a.txt "$1/sub dir/ü b.txt"
cp "$1/sub dir/ü b.txt" "$1/sub dir/copy.txt"
echo x > $1/gone
rm $1/gone
ls -l $1 "$1/sub dir"
df .
cmp "$1/sub dir/ü b.txt" "$1/sub dir/copy.txt"
`
