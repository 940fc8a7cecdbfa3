package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func (x *fsx) write(f *fsxFile, h *os.File, off, n int) error {
	x.note(f, "write %d+%d", off, n)
	data := randomBytes(n, x.rnd.Uint64())
	f.grow(off + n)
	copy(f.model[off:], data)
	_, err := h.WriteAt(data, int64(off))
	return err
}

func (x *fsx) read(f *fsxFile, h *os.File, off, n int) error {
	x.note(f, "read %d+%d", off, n)
	got := make([]byte, n)
	m, err := h.ReadAt(got, int64(off))
	if err != nil && err != io.EOF {
		return err
	}
	if want := f.part(off, n); !bytes.Equal(got[:m], want) {
		return fmt.Errorf("read %d+%d: %s", off, n, difference(got[:m], want))
	}
	return nil
}

func (x *fsx) truncate(f *fsxFile, h *os.File, size int) error {
	x.note(f, "truncate %d", size)
	f.grow(size)
	f.model = f.model[:size:size]
	if x.rnd.IntN(2) == 0 {
		return h.Truncate(int64(size))
	}
	return os.Truncate(x.s.mount().at(f.path), int64(size))
}

// allocate makes a hole, zeroes a range or reserves space. What moves bytes about FUSE does not have, and it must not change a thing.
func (x *fsx) allocate(f *fsxFile, h *os.File, off, n int) error {
	mode := []uint32{
		unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_ZERO_RANGE, unix.FALLOC_FL_ZERO_RANGE | unix.FALLOC_FL_KEEP_SIZE,
		0, unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_COLLAPSE_RANGE, unix.FALLOC_FL_INSERT_RANGE,
	}[x.rnd.IntN(7)]
	x.note(f, "fallocate %#x %d+%d", mode, off, n)
	err := unix.Fallocate(int(h.Fd()), mode, int64(off), int64(n))
	switch {
	case errors.Is(err, syscall.EOPNOTSUPP):
		return nil
	case mode&(unix.FALLOC_FL_COLLAPSE_RANGE|unix.FALLOC_FL_INSERT_RANGE) != 0:
		return fmt.Errorf("fallocate %#x gives %w", mode, err)
	}
	if mode&unix.FALLOC_FL_KEEP_SIZE == 0 {
		f.grow(off + n)
	}
	if mode&(unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_ZERO_RANGE) != 0 {
		clear(f.part(off, n))
	}
	return err
}

// mapped runs fn on a mapping of the whole file. A fault, which is how the kernel says EIO here, is an error like others.
func mapped(h *os.File, n, kind int, fn func(p []byte) error) (err error) {
	if n == 0 {
		return nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("mapping: %v", fault)
		}
	}()
	p, err := unix.Mmap(int(h.Fd()), 0, n, unix.PROT_READ|unix.PROT_WRITE, kind)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	defer unix.Munmap(p)
	return fn(p)
}

// mapShared reads everything through a mapping, changes a piece through it, and most of the time writes it back at once.
func (x *fsx) mapShared(f *fsxFile, h *os.File) error {
	return mapped(h, len(f.model), unix.MAP_SHARED, func(p []byte) error {
		off := x.rnd.IntN(len(f.model))
		n := min(1+x.rnd.IntN(10_000), len(f.model)-off)
		x.note(f, "mmap %d+%d", off, n)
		if !bytes.Equal(p, f.model) {
			return fmt.Errorf("mapping: %s", difference(p, f.model))
		}
		data := randomBytes(n, x.rnd.Uint64())
		copy(p[off:], data)
		copy(f.model[off:], data)
		return unix.Msync(p, unix.MS_SYNC)
	})
}

// mapPrivate changes a piece of a private mapping, which nobody else sees.
func (x *fsx) mapPrivate(f *fsxFile, h *os.File) error {
	return mapped(h, len(f.model), unix.MAP_PRIVATE, func(p []byte) error {
		off := x.rnd.IntN(len(f.model))
		x.note(f, "private mmap %d", off)
		p[off]++
		if p[off]--; !bytes.Equal(p, f.model) {
			return fmt.Errorf("private mapping: %s", difference(p, f.model))
		}
		p[off]++
		return nil
	})
}

func (x *fsx) sync(f *fsxFile, h *os.File) error {
	if x.rnd.IntN(2) == 0 {
		x.note(f, "fdatasync")
		return unix.Fdatasync(int(h.Fd()))
	}
	x.note(f, "fsync")
	return h.Sync()
}

func (x *fsx) append(f *fsxFile, n int) error {
	if len(f.model) > x.most {
		return nil
	}
	x.note(f, "append %d", n)
	data := randomBytes(n, x.rnd.Uint64())
	f.model = append(f.model, data...)
	return x.s.mount().Append(f.path, data)
}

// direct reads a piece past the page cache, and writes it back changed.
func (x *fsx) direct(f *fsxFile, off, n int) error {
	off, n = off&^4095, (n+4095)&^4095
	x.note(f, "direct %d+%d", off, n)
	h, err := os.OpenFile(x.s.mount().at(f.path), os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		return err
	}
	buf := make([]byte, n+4095)
	buf = buf[-uintptr(unsafe.Pointer(&buf[0]))&4095:][:n]
	m, err := unix.Pread(int(h.Fd()), buf, int64(off))
	if want := f.part(off, n); err == nil && !bytes.Equal(buf[:m], want) {
		err = errors.New(difference(buf[:m], want))
	}
	if err == nil {
		copy(buf, randomBytes(n, x.rnd.Uint64()))
		f.grow(off + n)
		copy(f.model[off:], buf)
		_, err = unix.Pwrite(int(h.Fd()), buf, int64(off))
	}
	return errors.Join(err, h.Close())
}

// seek wants holes to be where zeros are.
func (x *fsx) seek(f *fsxFile, h *os.File) error {
	if len(f.model) == 0 {
		return nil
	}
	at := x.rnd.IntN(len(f.model))
	x.note(f, "seek %d", at)
	data, err := unix.Seek(int(h.Fd()), int64(at), unix.SEEK_DATA)
	if errors.Is(err, syscall.ENXIO) {
		data, err = int64(len(f.model)), nil
	}
	if err != nil {
		return fmt.Errorf("SEEK_DATA at %d: %w", at, err)
	}
	if data < int64(at) || data > int64(len(f.model)) || len(bytes.Trim(f.model[at:data], "\x00")) > 0 {
		return fmt.Errorf("SEEK_DATA at %d says %d, where there is data before", at, data)
	}
	hole, err := unix.Seek(int(h.Fd()), int64(at), unix.SEEK_HOLE)
	if err != nil || hole < int64(at) || hole > int64(len(f.model)) || hole < int64(len(f.model)) && f.model[hole] != 0 {
		return fmt.Errorf("SEEK_HOLE at %d of %d says %d, %w", at, len(f.model), hole, err)
	}
	return nil
}

// copyRange copies a piece to a place in the same file or in another.
func (x *fsx) copyRange(f *fsxFile, h *os.File, off, n int) error {
	to := x.files[x.rnd.IntN(len(x.files))]
	out, err := x.handle(to)
	if err != nil {
		return err
	}
	at, _ := x.extent(to)
	src := bytes.Clone(f.part(off, n))
	if to == f && at < off+len(src) && off < at+len(src) {
		return nil // EINVAL
	}
	x.note(f, "copy_file_range %d+%d to %s at %d", off, n, to.path, at)
	from, into := int64(off), int64(at)
	for done := 0; done < len(src); {
		m, err := unix.CopyFileRange(int(h.Fd()), &from, int(out.Fd()), &into, len(src)-done, 0)
		if err != nil || m == 0 {
			return fmt.Errorf("copy_file_range after %d bytes: %d, %w", done, m, err)
		}
		done += m
	}
	if len(src) > 0 {
		to.grow(at + len(src))
		copy(to.model[at:], src)
	}
	return nil
}

// exchange lets two files change names while they are open.
func (x *fsx) exchange(f *fsxFile) error {
	other := x.files[x.rnd.IntN(len(x.files))]
	if other == f {
		return nil
	}
	x.note(f, "exchange %s", other.path)
	m := x.s.mount()
	err := unix.Renameat2(unix.AT_FDCWD, m.at(f.path), unix.AT_FDCWD, m.at(other.path), unix.RENAME_EXCHANGE)
	f.path, other.path = other.path, f.path
	return err
}

func (x *fsx) size(f *fsxFile, h *os.File) error {
	x.note(f, "stat")
	fi, err := h.Stat()
	if err == nil && fi.Size() != int64(len(f.model)) {
		err = fmt.Errorf("fstat says %d bytes, want %d", fi.Size(), len(f.model))
	}
	if err != nil {
		return err
	}
	fi, err = os.Stat(x.s.mount().at(f.path))
	if err == nil && fi.Size() != int64(len(f.model)) {
		err = fmt.Errorf("stat says %d bytes, want %d", fi.Size(), len(f.model))
	}
	return err
}
