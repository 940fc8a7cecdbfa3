package posix

import (
	"bytes"
	"encoding/binary"
)

// dirent is an entry as getdents64(2) gives it.
type dirent struct {
	ino  uint64
	next int64 // position of the one after it
	kind byte
	name string
}

func parseDirents(b []byte) (all []dirent) {
	for len(b) > 19 {
		length := int(binary.NativeEndian.Uint16(b[16:]))
		name, _, _ := bytes.Cut(b[19:length], []byte{0})
		all = append(all, dirent{binary.NativeEndian.Uint64(b), int64(binary.NativeEndian.Uint64(b[8:])), b[18], string(name)})
		b = b[length:]
	}
	return all
}
