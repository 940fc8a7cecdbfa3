package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// TestSameBytes (G1, G6) sends a big file in through each door, with the tools that people use, and gets it out through every other: cp to the
// mount, curl to WebDAV, curl to both REST APIs; out from /dav, from the list of binaries by id, and from prepareDownload. The server's memory
// stays small throughout.
func TestSameBytes(t *testing.T) {
	curl := needTool(t, "curl")
	size := 512 << 20
	if brief() {
		size = 64 << 20
	}
	s := startServer(t)
	source := filepath.Join(tempDir(t), "big.iso")
	want := bigFile(t, source, size)
	login := adminUser + ":" + adminPassword
	run := func(args ...string) string {
		t.Helper()
		return command(t, "", curl, append([]string{"-sSf", "-u", login}, args...)...)
	}
	doors := []struct {
		name string
		put  func() (path string)
	}{
		{"mount", func() string {
			command(t, "", "cp", source, s.mount().at("/mount.iso"))
			return "/mount.iso"
		}},
		{"dav", func() string {
			run("-T", source, s.base+"/dav/dav.iso")
			return "/dav.iso"
		}},
		{"inventory", func() string {
			run("-F", `object={"name":"inventory.iso"}`, "-F", "file=@"+source, s.base+"/inventory/binaries")
			return "/inventory/inventory.iso"
		}},
		{"blob", func() string {
			url, header, err := s.uploadURL("", map[string]any{"objectKey": "blob.iso", "fullObjectPath": "up/blob.iso"})
			check(t, err)
			args := []string{"-T", source, url}
			for i := 0; i < len(header); i += 2 {
				args = append(args, "-H", header[i]+": "+header[i+1])
			}
			command(t, "", curl, append([]string{"-sSf"}, args...)...)
			return "/up/blob.iso"
		}},
	}
	for _, door := range doors {
		t.Run(door.name, func(t *testing.T) {
			s.everywhere(t, door.put(), int64(size), want)
			s.checkMemory()
		})
	}
}

// bigFile makes a file that no disk and no buffer can shorten, and returns its checksum.
func bigFile(t testing.TB, name string, size int) string {
	t.Helper()
	f, err := os.Create(name)
	check(t, err)
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), int64(size))
	check(t, errors.Join(err, f.Close()))
	s, err := fileSum(name)
	check(t, err)
	return s
}

// everywhere reads a file through all doors.
func (s *server) everywhere(t *testing.T, p string, size int64, want string) {
	t.Helper()
	got, err := fileSum(s.mount().at(p))
	if err != nil || got != want {
		t.Errorf("mount: %v, other bytes: %v", err, got != want)
	}
	id := s.listed(t, path.Base(p), size)
	key, err := s.rest().key(p, id)
	check(t, err)
	signed, err := s.downloadURL(key)
	check(t, err)
	for name, url := range map[string]string{"WebDAV": davURL(p), "inventory": binaryURL(id), "prepareDownload": signed} {
		if got, err := s.download(url, size); err != nil || got != want {
			t.Errorf("%s: %v, other bytes: %v", name, err, got != want)
		}
	}
	s.ranges(t, p, id, size)
}

// listed finds a file by its name in the inventory.
func (s *server) listed(t testing.TB, name string, size int64) string {
	t.Helper()
	out, _, err := s.do("GET", "/inventory/binaries?pageSize=2000", nil, []int{200})
	check(t, err)
	var list struct {
		ManagedObjects []struct {
			ID, Name string
			Length   int64
		}
	}
	check(t, json.Unmarshal(out, &list))
	for _, o := range list.ManagedObjects {
		if o.Name != name {
			continue
		}
		if o.Length != size {
			t.Errorf("the inventory says that %s has %d bytes, not %d", name, o.Length, size)
		}
		return o.ID
	}
	t.Fatalf("the inventory does not list %s", name)
	return ""
}

// download gives the checksum of what comes from a URL.
func (s *server) download(url string, size int64) (string, error) {
	resp, err := s.request("GET", url, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength != size {
		return "", fmt.Errorf("%s, %d bytes announced", resp.Status, resp.ContentLength)
	}
	return readSum(resp.Body)
}

// ranges reads pieces through every door and compares them with the mount's.
func (s *server) ranges(t testing.TB, p, id string, size int64) {
	t.Helper()
	f, err := os.Open(s.mount().at(p))
	check(t, err)
	defer f.Close()
	for _, r := range [][2]int64{{0, 0}, {1, 4096}, {size/2 - 7, size/2 + 100_000}, {size - 3, size - 1}} {
		want := make([]byte, r[1]-r[0]+1)
		_, err := f.ReadAt(want, r[0])
		check(t, err)
		for _, url := range []string{davURL(p), binaryURL(id)} {
			got, _, err := s.do("GET", url, nil, []int{206}, "Range", fmt.Sprintf("bytes=%d-%d", r[0], r[1]))
			if err != nil || string(got) != string(want) {
				t.Errorf("%s bytes %d-%d: %v, %d bytes", url, r[0], r[1], err, len(got))
			}
		}
	}
}

// TestG1CloseToOpen runs the promise as a shell would see it: what one command wrote and ended, the next one reads, whichever doors they use.
func TestG1CloseToOpen(t *testing.T) {
	needTool(t, "curl")
	s := startServer(t)
	const rounds = 30
	script := fmt.Sprintf(`set -e
		for i in $(seq %d); do
			echo "mount $i" > m; [ "$(curl -sSfu "$LOGIN" "$DAV/m")" = "mount $i" ]
			curl -sSfu "$LOGIN" -o /dev/null -T - "$DAV/m" <<< "dav $i"; [ "$(cat m)" = "dav $i" ]
			echo "more $i" >> m; [ "$(curl -sSfu "$LOGIN" "$DAV/m" | tail -1)" = "more $i" ]
			curl -sSfu "$LOGIN" -X MOVE -H "Destination: $DAV/n$i" "$DAV/m"; [ ! -e m ]; [ "$(tail -1 n$i)" = "more $i" ]
			mv n$i m; ! curl -sfu "$LOGIN" "$DAV/n$i"
			curl -sSfu "$LOGIN" -X DELETE "$DAV/m"; [ -z "$(ls)" ]
		done`, rounds)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = s.mnt
	cmd.Env = append(os.Environ(), "LOGIN="+adminUser+":"+adminPassword, "DAV="+s.base+"/dav")
	cmd.Stderr = &strings.Builder{}
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, cmd.Stderr)
	}
}

// TestETags wants the same strong tag from every HTTP door, a new one with every content, and 304 and 412 to follow from it.
func TestETags(t *testing.T) {
	s := startServer(t)
	seen := map[string]bool{}
	for i, w := range append(s.faces(), s.faces()...) {
		check(t, w.Put("/f", fmt.Append(nil, "content ", i)))
		dav, err := s.dav().Stat("/f")
		check(t, err)
		rest, err := s.rest().Stat("/f")
		check(t, err)
		if dav.ETag == "" || dav.ETag != rest.ETag || strings.HasPrefix(dav.ETag, "W/") {
			t.Errorf("after a write through %s WebDAV says %s and REST %s", w.Name(), dav.ETag, rest.ETag)
		}
		if seen[dav.ETag] {
			t.Errorf("after a write through %s the tag is an old one", w.Name())
		}
		seen[dav.ETag] = true
		_, _, err = s.do("GET", davURL("/f"), nil, []int{304}, "If-None-Match", rest.ETag)
		check(t, err)
		_, _, err = s.do("PUT", davURL("/f"), []byte("no"), []int{412}, "If-Match", `"another"`)
		check(t, err)
		_, _, err = s.do("PUT", davURL("/f"), []byte("no"), []int{412}, "If-None-Match", "*")
		check(t, err)
		wantGet(t, s.mount(), "/f", fmt.Sprint("content ", i))
	}
}
