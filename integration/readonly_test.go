package integration

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReadOnly serves a tree that nobody may change: the mount answers as the kernel does for any read-only file system, the HTTP faces refuse, and all
// of them read.
func TestReadOnly(t *testing.T) {
	s := startServer(t)
	m := s.mount()
	check(t, m.Mkdir("/d"))
	check(t, m.Put("/d/f", []byte("content")))
	check(t, m.Link("/d/f", "/d/g"))
	check(t, os.Symlink("f", m.at("/d/s")))
	check(t, unix.Mkfifo(m.at("/d/p"), 0o644))
	s.stop()
	writable := s.args
	s.args = append(append([]string(nil), s.args...), "--read-only")
	s.start()
	for _, f := range s.faces() {
		wantGet(t, f, "/d/f", "content")
	}
	t.Run("mount", func(t *testing.T) { readOnlyMount(t, m.at("/d")) })
	t.Run("http", func(t *testing.T) { readOnlyHTTP(t, s) })
	s.stop()
	s.args = writable
	s.start()
	wantGet(t, m, "/d/f", "content")
	check(t, m.Put("/d/f", []byte("changed")))
}

func readOnlyMount(t *testing.T, d string) {
	open := func(name string, flags int) error {
		fd, err := unix.Open(d+"/"+name, flags, 0o644)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
	var st unix.Statfs_t
	check(t, unix.Statfs(d, &st))
	if want := int64(unix.ST_RDONLY | unix.ST_NOATIME); st.Flags&want != want {
		t.Errorf("statfs shows flags %x, without %x", st.Flags, want)
	}
	for what, c := range map[string]struct{ got, want error }{
		"open for reading":           {open("f", unix.O_RDONLY), nil},
		"open for writing":           {open("f", unix.O_WRONLY), unix.EROFS},
		"open for both":              {open("f", unix.O_RDWR), unix.EROFS},
		"open and cut":               {open("f", unix.O_RDONLY|unix.O_TRUNC), unix.EROFS},
		"open or make what is there": {open("f", unix.O_RDONLY|unix.O_CREAT), nil},
		"make":                       {open("new", unix.O_WRONLY|unix.O_CREAT), unix.EROFS},
		"make what is there":         {open("f", unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL), unix.EEXIST},
		"open what is missing":       {open("new", unix.O_WRONLY), unix.ENOENT},
		"make without a name":        {open(".", unix.O_TMPFILE|unix.O_RDWR), unix.EROFS},
		"write to a fifo":            {open("p", unix.O_RDWR|unix.O_NONBLOCK), nil},
		"mkdir":                      {unix.Mkdir(d+"/new", 0o755), unix.EROFS},
		"mkdir over":                 {unix.Mkdir(d+"/f", 0o755), unix.EEXIST},
		"mknod":                      {unix.Mknod(d+"/new", unix.S_IFIFO|0o644, 0), unix.EROFS},
		"symlink":                    {unix.Symlink("f", d+"/new"), unix.EROFS},
		"link":                       {unix.Link(d+"/f", d+"/new"), unix.EROFS},
		"unlink":                     {unix.Unlink(d + "/f"), unix.EROFS},
		"rmdir":                      {unix.Rmdir(d), unix.EROFS},
		"rename":                     {unix.Rename(d+"/f", d+"/new"), unix.EROFS},
		"truncate":                   {unix.Truncate(d+"/f", 0), unix.EROFS},
		"chmod":                      {unix.Chmod(d+"/f", 0o600), unix.EROFS},
		"chown":                      {unix.Chown(d+"/f", 1, 1), unix.EROFS},
		"utimes":                     {unix.UtimesNanoAt(unix.AT_FDCWD, d+"/f", nil, 0), unix.EROFS},
		"setxattr":                   {unix.Setxattr(d+"/f", "user.x", []byte("x"), 0), unix.EROFS},
		"removexattr":                {unix.Removexattr(d+"/f", "user.x"), unix.EROFS},
		"access":                     {unix.Access(d+"/f", unix.W_OK), unix.EROFS},
		"access for reading":         {unix.Access(d+"/f", unix.R_OK), nil},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
}

// readOnlyHTTP tries every kind of change. Signing the URL of an upload changes nothing; using it is refused.
func readOnlyHTTP(t *testing.T, s *server) {
	id, err := s.rest().id("/d/f")
	check(t, err)
	refused := []int{403}
	for _, c := range []struct {
		method, path string
		header       []string
		body         string
	}{
		{"PUT", "/dav/d/f", nil, "x"},
		{"PUT", "/dav/d/new", nil, "x"},
		{"DELETE", "/dav/d/f", nil, ""},
		{"MKCOL", "/dav/d/new", nil, ""},
		{"MOVE", "/dav/d/f", []string{"Destination", s.base + "/dav/d/new"}, ""},
		{"COPY", "/dav/d/f", []string{"Destination", s.base + "/dav/d/new"}, ""},
		{"LOCK", "/dav/d/f", []string{"Content-Type", "application/xml"},
			`<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`},
		{"POST", "/inventory/managedObjects", []string{"Content-Type", "application/json"}, `{"name":"x"}`},
		{"POST", "/event/events", []string{"Content-Type", "application/json"},
			`{"type":"t","text":"x","time":"2026-01-01T00:00:00Z","source":{"id":"` + id + `"}}`},
		{"PUT", binaryURL(id), nil, "x"},
		{"DELETE", binaryURL(id), nil, ""},
	} {
		if _, _, err := s.do(c.method, c.path, []byte(c.body), refused, c.header...); err != nil {
			t.Errorf("%s %s: %v", c.method, c.path, err)
		}
	}
	if err := s.rest().upload("/d/new", []byte("x")); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a signed upload: %v", err)
	}
}
