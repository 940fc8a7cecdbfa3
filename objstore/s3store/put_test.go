package s3store

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"tote/objstore"
)

func TestPut_LostReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.lose("Put", 3)
		if err := putText(t.Context(), s, "a", "hello"); err != nil {
			t.Error(err)
		}
		if got, _ := f.object("a"); string(got) != "hello" || f.seen("Put") != 4 {
			t.Errorf("%q after %d calls", got, f.seen("Put"))
		}
	})
}

// TestPut_Damaged: bytes that arrive damaged are sent anew with new sums, some times.
func TestPut_Damaged(t *testing.T) {
	for _, c := range []struct {
		damages int
		want    error
	}{{resends - 1, nil}, {resends, objstore.ErrTemporary}} {
		synctest.Test(t, func(t *testing.T) {
			f, s := newFake(t)
			f.on("Put", first(c.damages, 400, "BadDigest"))
			err := putText(t.Context(), s, "a", "hello")
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if f.seen("Put") != resends {
				t.Errorf("%d calls", f.seen("Put"))
			}
		})
	}
}

// TestPut_ServerHasOtherBytes: the checksum in the answer counts, too.
func TestPut_ServerHasOtherBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.on("Put", func(n int, w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.Copy(io.Discard, r.Body)
			crc := crcText(sumOf([]byte("hello")))
			if n == 1 {
				crc = crcText(sumOf([]byte("jello")))
			}
			w.Header().Set("X-Amz-Checksum-Crc64nvme", crc)
			w.Header().Set("Etag", `"tag"`)
			return true
		})
		info, err := s.Put(t.Context(), "a", strings.NewReader("hello"), 5)
		if err != nil || info.ETag != "tag" || f.seen("Put") != 2 {
			t.Errorf("%+v after %d calls, error %v", info, f.seen("Put"), err)
		}
	})
}

// shrinking is a file that loses its end after it was read for the first time.
type shrinking struct {
	*bytes.Reader
	size int64
	err  error
}

func (s *shrinking) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > s.size && s.err != nil {
		return 0, s.err
	}
	n, err := s.Reader.ReadAt(p[:min(int64(len(p)), max(0, s.size-off))], off)
	if n == 0 || err != nil || off+int64(n) == s.size {
		err = io.EOF
	}
	return n, err
}

// TestPut_BodyBreaksWhileSent: what the caller's disk does is not repeated until patience ends.
func TestPut_BodyBreaksWhileSent(t *testing.T) {
	broken := errors.New("disk is broken")
	for want, body := range map[error]*shrinking{
		objstore.ErrSize: {bytes.NewReader(noise(1 << 20)), 1000, nil},
		broken:           {bytes.NewReader(noise(1 << 20)), 1000, broken},
	} {
		synctest.Test(t, func(t *testing.T) {
			f, s := newFake(t)
			begin := time.Now()
			_, err := s.Put(t.Context(), "a", body, 1<<20)
			wantErr(t, err, want)
			if d := time.Since(begin); d > time.Minute || errors.Is(err, objstore.ErrTemporary) {
				t.Errorf("after %s: %v", d, err)
			}
			if _, there := f.object("a"); there {
				t.Error("something was put")
			}
		})
	}
}

func TestTake(t *testing.T) { synctest.Test(t, takeAll) }

func takeAll(t *testing.T) {
	dir := t.TempDir()
	_, s := newFake(t, func(o *Options) { o.Spool, o.TempDir = 300_000, dir })
	file := func(n int) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if _, err := f.Write(noise(n)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(100, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		return f
	}
	for name, c := range map[string]struct {
		r    io.Reader
		want []byte
	}{
		"empty":    {strings.NewReader(""), nil},
		"small":    {bytes.NewReader(noise(1000)), noise(1000)},
		"one byte": {iotest.OneByteReader(bytes.NewReader(noise(1000))), noise(1000)},
		"seekable": {bytes.NewReader(noise(500_000)), noise(500_000)},
		"file":     {file(500_000), noise(500_000)[100:]},
		"section":  {io.NewSectionReader(bytes.NewReader(noise(500_000)), 7, 400_000), noise(500_000)[7:400_007]},
		"memory":   {iotest.HalfReader(bytes.NewReader(noise(200_000))), noise(200_000)},
		"spooled":  {iotest.HalfReader(bytes.NewReader(noise(400_000))), noise(400_000)},
	} {
		src, err := s.take(t.Context(), c.r, int64(len(c.want)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for range 2 {
			got, err := io.ReadAll(src.body(&op{}))
			if err != nil || !bytes.Equal(got, c.want) || src.crc != sumOf(c.want) {
				t.Errorf("%s: %d bytes, error %v", name, len(got), err)
			}
		}
		src.close()
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s left %v, error %v", name, left, err)
		}
	}
}

// TestTake_MD5: a server that knows no CRC gets the older sum.
func TestTake_MD5(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		s.caps.Checksums, s.caps.UploadChecksums = false, false
		f.on("Put", func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			if got := r.Header.Get("Content-Md5"); got != "XUFAKrxLKna5cZ2REBfFkg==" || r.Header.Get("X-Amz-Checksum-Crc64nvme") != "" {
				t.Errorf("header %v", r.Header)
			}
			return false
		})
		if err := putText(t.Context(), s, "a", "hello"); err != nil {
			t.Error(err)
		}
	})
}
