package fsop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
)

// Write makes a new file of n blocks and forces it to disk: open, write, fsync, close.
func Write(ctx context.Context, path string, p *Pattern, n int) (time.Duration, error) {
	start := time.Now()
	fd, err := open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return 0, err
	}
	for i := 0; i < n && err == nil; i++ {
		if err = ctx.Err(); err == nil {
			err = write(fd, p.At(i))
		}
	}
	if err == nil {
		err = fsync(fd)
	}
	err = closed(fd, err)
	return time.Since(start), err
}

// Read reads a file from the beginning to the end, block by block, and returns its length too.
func Read(ctx context.Context, path string) (time.Duration, int64, error) {
	return scan(ctx, path, func(int, []byte) error { return nil })
}

// Check reads a file and compares it with what Write wrote.
func Check(ctx context.Context, path string, p *Pattern, n int) error {
	_, size, err := scan(ctx, path, func(i int, got []byte) error {
		if !p.Is(i, got) {
			return fmt.Errorf("%s: block %d has other bytes than were written", path, i)
		}
		return nil
	})
	if err == nil && size != int64(n)*Block {
		return fmt.Errorf("%s: %d bytes instead of %d", path, size, int64(n)*Block)
	}
	return err
}

// scan calls see with each block of a file.
func scan(ctx context.Context, path string, see func(i int, got []byte) error) (time.Duration, int64, error) {
	buf := make([]byte, Block)
	start := time.Now()
	fd, err := open(path, unix.O_RDONLY)
	if err != nil {
		return 0, 0, err
	}
	var size int64
	for i := 0; err == nil; i++ {
		var n int
		if n, err = fill(ctx, fd, buf); err != nil || n == 0 {
			break
		}
		size += int64(n)
		err = see(i, buf[:n])
	}
	err = closed(fd, err)
	return time.Since(start), size, err
}

// fill reads until buf is full or the file ends.
func fill(ctx context.Context, fd int, buf []byte) (int, error) {
	got := 0
	for got < len(buf) {
		if err := ctx.Err(); err != nil {
			return got, err
		}
		n, err := read(fd, buf[got:])
		if err != nil || n == 0 {
			return got, err
		}
		got += n
	}
	return got, nil
}

// Page is the size of one random read, of an edit and of an append.
const Page = 4 << 10

// RandomRead reads n pages at random places of a file of size bytes. The places are the same in every call.
func RandomRead(ctx context.Context, path string, size int64, n int) (time.Duration, error) {
	rng := rand.New(rand.NewPCG(1, 2))
	at := make([]int64, n)
	for i := range at {
		at[i] = rng.Int64N(size/Page) * Page
	}
	buf := make([]byte, Page)
	fd, err := open(path, unix.O_RDONLY)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	for _, off := range at {
		if err = readPage(ctx, fd, buf, off); err != nil {
			break
		}
	}
	took := time.Since(start)
	return took, closed(fd, err)
}

func readPage(ctx context.Context, fd int, buf []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var n int
	err := retry(func() (err error) { n, err = unix.Pread(fd, buf, off); return err })
	if err == nil && n != len(buf) {
		return fmt.Errorf("read at %d: %d bytes instead of %d", off, n, len(buf))
	}
	return err
}

// Edit overwrites one page at off of a file that is there and forces it to disk: open, write, fsync, close.
func Edit(path string, off int64) (time.Duration, error) {
	page := make([]byte, Page)
	start := time.Now()
	fd, err := open(path, unix.O_WRONLY)
	if err != nil {
		return 0, err
	}
	var n int
	err = retry(func() (err error) { n, err = unix.Pwrite(fd, page, off); return err })
	if err == nil && n != Page {
		err = fmt.Errorf("write at %d: %d bytes instead of %d", off, n, Page)
	}
	if err == nil {
		err = fsync(fd)
	}
	err = closed(fd, err)
	return time.Since(start), err
}

// Append adds n pages to a new file and forces each of them to disk.
func Append(ctx context.Context, path string, n int) (time.Duration, error) {
	page := make([]byte, Page)
	fd, err := open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_APPEND)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	for i := 0; i < n && err == nil; i++ {
		if err = ctx.Err(); err == nil {
			err = write(fd, page)
		}
		if err == nil {
			err = fsync(fd)
		}
	}
	took := time.Since(start)
	return took, closed(fd, err)
}
