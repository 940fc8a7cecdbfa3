package fs

import (
	"fmt"
	"os"
	"testing"
)

// BenchmarkCreateWriteClose is what the mount asks of the core for one small file.
func BenchmarkCreateWriteClose(b *testing.B) {
	c := newCore(b)
	text := make([]byte, 4096)
	for i := 0; b.Loop(); i++ {
		_, h, err := c.Create(b.Context(), c.mount, RootIno, fmt.Sprintf("f%07d", i), 0o644, os.O_WRONLY, true)
		ok(b, err)
		must(h.Backing().File.Write(text))(b)
		ok(b, h.Flush(b.Context()))
		h.Release()
	}
}

// BenchmarkUnlink is the removal of small files.
func BenchmarkUnlink(b *testing.B) {
	c := newCore(b)
	for i := range b.N {
		c.put(fmt.Sprintf("/f%07d", i), "text")
	}
	b.ResetTimer()
	for i := range b.N {
		ok(b, c.Unlink(b.Context(), c.mount, RootIno, fmt.Sprintf("f%07d", i)))
	}
}

// BenchmarkEditInPlace is a 4 KiB change in a large file, with close.
func BenchmarkEditInPlace(b *testing.B) {
	c := newCore(b)
	c.put("/big", string(make([]byte, 64<<20)))
	text := make([]byte, 4096)
	for i := 0; b.Loop(); i++ {
		h := c.open2(b, "/big", os.O_RDWR)
		must(h.WriteAt(b.Context(), text, int64(i%16000)*4096))(b)
		ok(b, h.Flush(b.Context()))
		h.Release()
	}
}

func (c *core) open2(b *testing.B, path string, flags int) *Handle {
	at := must(c.Lstat(b.Context(), c.dav, path))(b)
	return must(c.OpenIno(b.Context(), c.mount, at.Ino(), flags, true))(b)
}
