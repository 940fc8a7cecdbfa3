package fs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"tote/meta"
)

// checker is one check of all versions.
type checker struct {
	f      *FS
	o      FsckOptions
	report func(problem string)
	r      FsckReport
	total  int64
	listed idSet    // versions whose object a remote store listed with the right size
	roots  []string // prefixes that were listed

	mu   sync.Mutex
	done int64 // versions; guarded by mu
}

// run checks every version.
func (c *checker) run(ctx context.Context) error {
	st, err := c.f.db.Stats(ctx)
	if err != nil {
		return err
	}
	for _, n := range st.Versions {
		c.total += n
	}
	if err := c.list(ctx, ""); err != nil {
		return err
	}
	for after := int64(0); ; {
		page, err := c.f.db.EachVersion(ctx, after, fsckPage)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].ID
		if err := errors.Join(c.listMore(ctx, page), c.check(ctx, page)); err != nil {
			return err
		}
	}
}

// list looks through a remote store for the objects of versions: a thousand at a time, instead of asking for each. What it does not show as it
// should be is asked for later.
func (c *checker) list(ctx context.Context, prefix string) error {
	if c.f.remote == nil {
		return nil
	}
	c.roots = append(c.roots, prefix)
	batch := make(map[string]int64, fsckPage)
	for info, err := range c.f.store.List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		if batch[info.Key] = info.Size; len(batch) < fsckPage {
			continue
		}
		if err := c.note(ctx, batch); err != nil {
			return err
		}
		clear(batch)
	}
	return c.note(ctx, batch)
}

// worthList is how many objects that no list has shown are worth another list.
const worthList = 50

// listMore looks below what the keys of a page have in common that no list has shown: a store may keep imported objects where a list of everything
// does not go.
func (c *checker) listMore(ctx context.Context, page []Version) error {
	var prefix string
	count := 0
	for _, v := range page {
		if v.State != meta.StateStored || v.Key == "" || c.listed.has(v.ID) {
			continue
		}
		if count++; count == 1 {
			prefix = v.Key
		}
		for !strings.HasPrefix(v.Key, prefix) {
			prefix = prefix[:strings.LastIndexByte(prefix[:len(prefix)-1], '/')+1]
		}
	}
	if count < worthList || prefix == "" || slices.Contains(c.roots, prefix) {
		return nil
	}
	return c.list(ctx, prefix)
}

// note marks the versions of objects that were listed with their sizes.
func (c *checker) note(ctx context.Context, sizes map[string]int64) error {
	keys := make([]string, 0, len(sizes))
	for key := range sizes {
		keys = append(keys, key)
	}
	found, err := c.f.db.VersionsByKey(ctx, keys)
	for _, v := range found {
		if sizes[v.Key] == v.Size {
			c.listed.add(v.ID)
		}
	}
	return err
}

// check looks at a page of versions, at several at once in a remote store, and reports problems in their order.
func (c *checker) check(ctx context.Context, page []Version) error {
	problems := make([]error, len(page))
	slots := make(chan struct{}, c.f.parallel())
	var work sync.WaitGroup
	for i, v := range page {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		work.Go(func() {
			defer func() { <-slots }()
			problems[i] = c.f.guard("fsck", func() error { return c.f.checkVersion(ctx, v, c.o.Deep, c.listed.has(v.ID)) })
			c.step()
		})
	}
	work.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, v := range page {
		c.r.Versions++
		c.r.Bytes += v.Size
		if problems[i] != nil {
			c.r.Problems++
			c.report(c.f.describe(ctx, v, problems[i]))
		}
	}
	return nil
}

// step tells that another version was looked at.
func (c *checker) step() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	if c.o.Progress != nil {
		c.o.Progress(c.done, max(c.total, c.done))
	}
}

// idSet is a set of numbers that come close together: a bit for each.
type idSet map[int64]*[64]uint64

func (s idSet) add(id int64) {
	block := s[id>>12]
	if block == nil {
		block = new([64]uint64)
		s[id>>12] = block
	}
	block[id>>6&63] |= 1 << (id & 63)
}

func (s idSet) has(id int64) bool {
	block := s[id>>12]
	return block != nil && block[id>>6&63]&(1<<(id&63)) != 0
}
