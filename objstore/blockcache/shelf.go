package blockcache

import "github.com/hashicorp/golang-lru/v2/simplelru"

// shelf holds a reference to each block that stays in memory. Blocks that were read ahead and not read yet are apart,
// so that those that were read make room for them. Cache.mu guards it.
type shelf struct {
	most  int // of both together
	least int // of those that were read, before one of the others goes
	fresh *simplelru.LRU[blockID, *block]
	read  *simplelru.LRU[blockID, *block]
}

func newShelf(most, least int) (*shelf, error) {
	fresh, err := simplelru.NewLRU[blockID, *block](most+1, nil)
	if err != nil {
		return nil, err
	}
	read, err := simplelru.NewLRU[blockID, *block](most+1, nil)
	return &shelf{most: most, least: least, fresh: fresh, read: read}, err
}

// get returns a block that is about to be read, or nil.
func (s *shelf) get(id blockID) *block {
	if b, ok := s.read.Get(id); ok {
		return b
	}
	b, ok := s.fresh.Peek(id)
	if ok {
		s.fresh.Remove(id)
		s.read.Add(id, b)
	}
	return b
}

// peek returns a block without regarding it as read, or nil.
func (s *shelf) peek(id blockID) *block {
	if b, ok := s.read.Peek(id); ok {
		return b
	}
	b, _ := s.fresh.Peek(id)
	return b
}

// add takes over a reference to a block that is not there yet.
func (s *shelf) add(b *block, fresh bool) {
	if fresh {
		s.fresh.Add(b.id, b)
	} else {
		s.read.Add(b.id, b)
	}
	if s.fresh.Len()+s.read.Len() <= s.most {
		return
	}
	from := s.read
	if s.read.Len() <= s.least && s.fresh.Len() > 0 {
		from = s.fresh
	}
	_, old, _ := from.RemoveOldest()
	old.release()
}

// drop lets go of the blocks that match.
func (s *shelf) drop(match func(blockID) bool) {
	for _, from := range []*simplelru.LRU[blockID, *block]{s.fresh, s.read} {
		for _, id := range from.Keys() {
			if !match(id) {
				continue
			}
			b, _ := from.Peek(id)
			from.Remove(id)
			b.release()
		}
	}
}
