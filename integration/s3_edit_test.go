package integration

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"tote/objstore/s3store/s3proxy"
)

// TestS3EditSendsLittle changes a little in an object of 512 MiB, of which nothing is cached: in its middle, at both ends, behind its end. Each time
// at most two parts, 16 MiB, go over the wire; the others are copied on the server. Afterwards all bytes are right.
func TestS3EditSendsLittle(t *testing.T) {
	size := int64(512 << 20)
	if testing.Short() {
		size = 64 << 20
	}
	s, p := startProxied(t, withArgs("--part-size", "8MiB"))
	local, path := filepath.Join(tempDir(t), "local"), s.mount().at("/big")
	bigFile(t, local, int(size))
	command(t, "", "cp", local, path)
	for _, c := range []struct {
		name string
		off  int64
		n    int
	}{
		{"in the middle", size / 2, 4 << 10},
		{"over the border of two parts", size/2 + 8<<20 - 2<<10, 4 << 10},
		{"at the beginning", 0, 4 << 10},
		{"at the end", size - 4<<10, 4 << 10},
		{"behind the end", size, 4 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.forget()
			p.Forget()
			piece := randomBytes(c.n, rand.Uint64())
			for _, name := range []string{local, path} {
				check(t, writeAt(name, piece, c.off))
			}
			sent := count(p, s3proxy.UploadPart, s3proxy.PutObject)
			t.Logf("%d parts sent, %d KiB; %d copied; %d KiB read", sent.Calls, sent.Up>>10, p.Count(s3proxy.UploadPartCopy).Calls, p.Count(s3proxy.GetObject).Down>>10)
			if sent.Calls > 2 || sent.Up > 16<<20 {
				t.Errorf("%d parts were sent with %d bytes, want at most 2 and 16 MiB", sent.Calls, sent.Up)
			}
		})
	}
	want, err := fileSum(local)
	check(t, err)
	s.forget()
	s.everywhere(t, "/big", size+4<<10, want)
	s.settled()
	s.checkMemory()
}

// writeAt changes a file in place and syncs it.
func writeAt(name string, p []byte, off int64) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(p, off)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
