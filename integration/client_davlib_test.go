package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestClientDAVLibraries works on the share with the libraries that programs use for WebDAV.
func TestClientDAVLibraries(t *testing.T) {
	s := startServer(t)
	for name, program := range map[string]func(t *testing.T) []string{
		"npm": func(t *testing.T) []string {
			needModules(t, "webdav-npm")
			return []string{needTool(t, "node"), "check.mjs"}
		},
		"go": func(t *testing.T) []string { return []string{buildClient(t, "webdav-go")} },
		"python": func(t *testing.T) []string {
			const python = "/usr/bin/python3" // the distribution's, which has its modules
			if out, err := tryCommand(t.Context(), "", python, "-c", "import webdav3.client"); err != nil {
				skip(t, "python3-webdavclient is not installed: %s", tail(out, 200))
			}
			return []string{python, "check.py"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			args := program(t)
			env := []string{"TOTE_URL=" + s.base, "TOTE_USER=" + adminUser, "TOTE_PASSWORD=" + adminPassword, "LC_ALL=C.UTF-8"}
			if out, err := tryWith(t.Context(), env, filepath.Join("clients", "webdav-"+name), args[0], args[1:]...); err != nil {
				t.Fatalf("%v\n%s", err, tail(out, 4000))
			}
			wantDavTree(t, s, "/"+name)
		})
	}
}

// TestClientCurlDAV is what a script does with curl: each of its requests says how it ends.
func TestClientCurlDAV(t *testing.T) {
	needTool(t, "curl")
	s := startServer(t)
	script := `set -eu
dav() { curl -sS --fail-with-body --user "$LOGIN" "$@"; }
status() { want=$1; shift; got=$(curl -s -o out --user "$LOGIN" -w '%{http_code}' "$@"); [ "$got" = "$want" ] || { echo "$got instead of $want: $*" >&2; cat out >&2; exit 1; }; }
printf 'hello\n' > a.txt
printf 'hello\nmore\n' > more.txt
head -c 3000000 /dev/urandom > big.bin
status 401 --user admin:wrong "$URL/"
status 201 -X MKCOL "$URL/curl"
status 201 -X MKCOL "$URL/curl/sub%20dir"
status 405 -X MKCOL "$URL/curl"
status 201 -T a.txt "$URL/curl/"
status 412 -T more.txt -H 'If-None-Match: *' "$URL/curl/a.txt"
status 204 -T more.txt "$URL/curl/a.txt"
status 201 -T big.bin -H 'Expect: 100-continue' "$URL/curl/big.bin"
dav -o back.bin "$URL/curl/big.bin"
cmp big.bin back.bin
head -c 1000 back.bin > cut.bin
dav -C - -o cut.bin "$URL/curl/big.bin"
cmp big.bin cut.bin
dav -r 10-19 "$URL/curl/big.bin" | cmp - <(tail -c +11 big.bin | head -c 10)
tag=$(dav -I "$URL/curl/a.txt" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
status 304 -H "If-None-Match: $tag" "$URL/curl/a.txt"
status 201 -X MOVE -H "Destination: $URL/curl/sub%20dir/%C3%BC%20b.txt" "$URL/curl/a.txt"
status 201 -X COPY -H "Destination: /dav/curl/sub%20dir/copy.txt" "$URL/curl/sub%20dir/%C3%BC%20b.txt"
dav --compressed -X PROPFIND -H 'Depth: 1' "$URL/curl/sub%20dir/" | grep -q '/dav/curl/sub%20dir/%C3%BC%20b.txt'
status 204 -X DELETE "$URL/curl/big.bin"
status 404 "$URL/curl/big.bin"
`
	env := []string{"URL=" + s.base + "/dav", "LOGIN=" + adminUser + ":" + adminPassword}
	if out, err := tryWith(t.Context(), env, tempDir(t), "bash", "-c", script); err != nil {
		t.Fatalf("%v\n%s", err, tail(out, 4000))
	}
	wantDavTree(t, s, "/curl")
}

// TestClientRcloneMount works on the share through rclone's mount, which writes files once they are closed.
func TestClientRcloneMount(t *testing.T) {
	needRoot(t)
	rclone, fusermount := needTool(t, "rclone"), needTool(t, "fusermount3")
	s := startServer(t)
	dir := tempDir(t)
	mnt := filepath.Join(dir, "mnt")
	check(t, os.Mkdir(mnt, 0o700))
	conf := filepath.Join(dir, "conf")
	password := strings.TrimSpace(command(t, "", rclone, "obscure", adminPassword))
	text := fmt.Sprintf("[r]\ntype = webdav\nvendor = owncloud\nurl = %s/dav\nuser = %s\npass = %s\n", s.base, adminUser, password)
	check(t, os.WriteFile(conf, []byte(text), 0o600))
	cmd := exec.Command(rclone, "mount", "r:", mnt, "--config", conf, "--cache-dir", filepath.Join(dir, "cache"), "--vfs-cache-mode", "writes", "--vfs-write-back", "0s")
	log, err := os.Create(filepath.Join(dir, "log"))
	check(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	check(t, cmd.Start())
	t.Cleanup(func() {
		if mounted(mnt) { // the test's context has ended
			if out, err := exec.Command(fusermount, "-u", "-z", mnt).CombinedOutput(); err != nil {
				t.Errorf("unmount: %v\n%s", err, out)
			}
		}
		_ = cmd.Wait() // it ends with its mount
		log.Close()
	})
	eventually(t, time.Minute, func() error {
		if !mounted(mnt) {
			out, _ := os.ReadFile(log.Name())
			return fmt.Errorf("rclone has not mounted: %s", tail(string(out), 1000))
		}
		return nil
	})
	if out, err := tryWith(t.Context(), []string{"LC_ALL=C.UTF-8"}, mnt, "sh", "-c", mountWork, "sh", "r"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, time.Minute, func() error {
		for _, name := range []string{"ü b.txt", "copy.txt"} {
			if got, err := s.dav().Get("/r/sub dir/" + name); err != nil || string(got) != "hello\nmore\n" {
				return fmt.Errorf("%s holds %q, error %w", name, got, err)
			}
		}
		return nil
	})
	wantDavTree(t, s, "/r")
}
