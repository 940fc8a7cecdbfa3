package s3store

import (
	"fmt"
	"strings"

	"tote/objstore"
)

// BucketKeys begins the keys of the bucket's objects that are not below the store's prefix; what follows is their S3 key. They are somebody else's:
// under such a key they can be read, copied from and deleted, and a list of such a prefix shows them. Nothing is stored there, and no other list
// shows them. A store of a whole bucket has no such keys.
const BucketKeys = ".bucket/"

// outside is the S3 key of a key with BucketKeys. What is below the prefix has one key only, without it.
func (s *Store) outside(key, rest string) (string, error) {
	if strings.HasPrefix(rest, s.base) {
		return "", fmt.Errorf("%w: %q is below the store's prefix", objstore.ErrKey, key)
	}
	return rest, nil
}

// own is full for keys that something can be stored under.
func (s *Store) own(key string) (string, error) {
	if s.base != "" && strings.HasPrefix(key, BucketKeys) {
		return "", fmt.Errorf("%w: %q is not below the store's prefix", objstore.ErrKey, key)
	}
	return s.full(key)
}

// outsideKey is the key of an S3 key that is not below the prefix.
func (s *Store) outsideKey(full string) (string, bool) {
	key := BucketKeys + full
	if strings.HasPrefix(full, s.base) || objstore.ValidKey(key) != nil {
		return "", false
	}
	return key, true
}
