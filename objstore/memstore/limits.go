package memstore

import (
	"fmt"
	"strings"

	"tote/objstore"
)

// Limits returns what NewLimited was given.
func (s *Store) Limits() objstore.Limits { return s.limits }

func (s *Store) validKey(key string) error {
	if err := objstore.ValidKey(key); err != nil {
		return err
	}
	if len(key) > s.limits.MaxKey {
		return fmt.Errorf("%w: it is longer than %d bytes", objstore.ErrKey, s.limits.MaxKey)
	}
	return nil
}

// roomFor is called with mu held, and refuses what a tree of files can't hold.
func (s *Store) roomFor(key string) error {
	if !s.limits.TreeKeys {
		return nil
	}
	for other := range s.objects {
		if strings.HasPrefix(key, other+"/") || strings.HasPrefix(other, key+"/") {
			return fmt.Errorf("%w: beside %q", objstore.ErrKey, other)
		}
	}
	return nil
}

// checkSizes checks the sizes of parts that are otherwise right.
func (s *Store) checkSizes(parts []objstore.Part) error {
	for _, p := range parts[:len(parts)-1] {
		if p.Size < s.limits.MinPart {
			return fmt.Errorf("%w: number %d has %d bytes, less than %d", objstore.ErrPart, p.Number, p.Size, s.limits.MinPart)
		}
		if s.limits.EqualParts && p.Size != parts[0].Size {
			return fmt.Errorf("%w: number %d has another size than the first", objstore.ErrPart, p.Number)
		}
	}
	return nil
}

// atMost checks the size of a part.
func atMost(size, limit int64) error {
	if size > limit {
		return fmt.Errorf("%w: %d bytes are more than %d", objstore.ErrPart, size, limit)
	}
	return nil
}

// fit checks facts and drops what has no room.
func fit(facts map[string]string) (map[string]string, error) {
	if err := objstore.CheckFacts(facts); err != nil {
		return nil, err
	}
	return objstore.FitFacts(facts, func(value string) string { return value }), nil
}
