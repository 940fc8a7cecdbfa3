package filestore

import (
	"fmt"
	"hash/fnv"
	"strings"

	"tote/objstore"
)

// location is where an object's file is: dir is relative to the root and has slashes, name is plain.
type location struct{ dir, name string }

// locate finds an object's file by its key alone, or returns ErrKey.
func locate(key string) (location, error) {
	if err := objstore.ValidKey(key); err != nil {
		return location{}, err
	}
	var b strings.Builder
	b.Grow(len(key) + 3)
	rest := key
	for {
		seg, tail, more := strings.Cut(rest, "/")
		if len(seg) > objstore.MaxSegment {
			return location{}, fmt.Errorf("%w: %.40q… has a segment longer than %d bytes", objstore.ErrKey, key, objstore.MaxSegment)
		}
		if !more {
			b.WriteString(shard(seg))
			return location{b.String(), seg}, nil
		}
		b.WriteString(dirName(seg))
		b.WriteByte('/')
		rest = tail
	}
}

// shard names the directory, one of 256, for an object of this name.
func shard(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	sum := h.Sum32()
	return fmt.Sprintf("%02x", byte(sum^sum>>8^sum>>16^sum>>24))
}

// dirName is the name on disk of a key's directory segment. A segment that looks like a shard or like one of
// our own directories gets a '%' more, so that every object and every directory has a place of its own.
func dirName(seg string) string {
	if reserved(strings.TrimLeft(seg, "%")) {
		return "%" + seg
	}
	return seg
}

// segment is the inverse of dirName. Only a name that is not reserved itself has one.
func segment(name string) string {
	if reserved(strings.TrimLeft(name, "%")) {
		return strings.TrimPrefix(name, "%")
	}
	return name
}

func reserved(name string) bool {
	return isShard(name) || name == tmpDir || name == uploadsDir
}

func isShard(name string) bool { return len(name) == 2 && isHex(name) }

func isHex(s string) bool {
	for i := range len(s) {
		if !strings.ContainsRune("0123456789abcdef", rune(s[i])) {
			return false
		}
	}
	return true
}
