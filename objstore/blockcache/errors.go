package blockcache

import (
	"errors"
	"io"

	"tote/objstore"
)

// ErrCorrupt means that the store kept answering with other bytes than the object's.
var ErrCorrupt = errors.New("object is damaged in the store")

var (
	errPatience = errors.New("no block arrived in time")   // ends a fetch, see fetch.cause
	errDropped  = errors.New("nobody waits for the block") // ends a fetch; no reader ever gets it
	errSums     = errors.New("the list of block sums does not fit the object's size")
)

// permanent says that asking again can't help.
func permanent(err error) bool {
	for _, e := range []error{
		objstore.ErrNotFound, objstore.ErrChanged, objstore.ErrDenied, objstore.ErrRange, objstore.ErrKey,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// early makes an end of a body before its last byte an error of its own.
func early(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
