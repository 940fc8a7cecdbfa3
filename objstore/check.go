package objstore

import (
	"context"
	"fmt"
	"io"
)

// CheckRange checks a range as Get takes it against an object's size and returns its length, or ErrRange.
func CheckRange(size, off, n int64) (int64, error) {
	if off < 0 || off > size || n > size-off {
		return 0, fmt.Errorf("%w: %d bytes at %d of %d", ErrRange, n, off, size)
	}
	if n < 0 {
		n = size - off
	}
	return n, nil
}

// CheckNumber checks a part's number, or returns ErrPart.
func CheckNumber(number int) error {
	if number < 1 || number > MaxParts {
		return fmt.Errorf("%w: number %d is not in 1 to %d", ErrPart, number, MaxParts)
	}
	return nil
}

// CheckParts checks the list given to Complete as far as it can be without knowing the parts.
func CheckParts(parts []Part) error {
	if len(parts) == 0 {
		return fmt.Errorf("%w: the list is empty", ErrPart)
	}
	last := 0
	for _, p := range parts {
		if err := CheckNumber(p.Number); err != nil {
			return err
		}
		if p.Number <= last {
			return fmt.Errorf("%w: number %d comes behind %d", ErrPart, p.Number, last)
		}
		last = p.Number
	}
	return nil
}

// Exactly reads size bytes from r and then EOF. It fails with ErrSize where r ends early, has more bytes or
// size is negative, and with the context's error once that is cancelled; r's own errors pass through.
func Exactly(ctx context.Context, r io.Reader, size int64) io.Reader {
	return &exactReader{ctx: ctx, r: r, size: size, left: size}
}

type exactReader struct {
	ctx  context.Context
	r    io.Reader
	size int64
	left int64
}

func (e *exactReader) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	if e.left < 0 {
		return 0, fmt.Errorf("%w: size %d is negative", ErrSize, e.size)
	}
	if e.left == 0 {
		return 0, e.end()
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if err == io.EOF {
		err = nil
		if e.left > 0 {
			err = fmt.Errorf("%w: it ends after %d of %d bytes", ErrSize, e.size-e.left, e.size)
		}
	}
	return n, err
}

// end makes sure that nothing follows. A body that breaks right behind its last byte is broken, too: for a
// chunked HTTP body that is where a cut shows.
func (e *exactReader) end() error {
	n, err := io.ReadFull(e.r, make([]byte, 1))
	if n > 0 {
		return fmt.Errorf("%w: it has more than %d bytes", ErrSize, e.size)
	}
	return err
}
