package fs

import (
	"context"
	"errors"
	"slices"
	"syscall"
)

// LastChange numbers the newest change of anything. What ChangedIn says about a later moment is about changes above it.
func (f *FS) LastChange(ctx context.Context, a *Actor) (int64, error) {
	if err := f.allow(a, accessRead); err != nil {
		return 0, fail("changes", "", err)
	}
	_, last, err := f.db.ChangeRange(ctx)
	return last, fail("changes", "", err)
}

// ChangedIn lists the names in a directory that appeared, changed or vanished after the change with a number, sorted. ESTALE says that this is not known
// any more, or that there never was such a change.
func (f *FS) ChangedIn(ctx context.Context, a *Actor, dir Ino, after int64) ([]string, error) {
	if err := f.allow(a, accessRead); err != nil {
		return nil, fail("changes", "", err)
	}
	names, err := f.changedIn(ctx, dir, after)
	return names, fail("changes", "", err)
}

func (f *FS) changedIn(ctx context.Context, dir Ino, after int64) ([]string, error) {
	rows, err := f.db.ChangesIn(ctx, dir, after)
	if err != nil {
		return nil, err
	}
	first, last, err := f.db.ChangeRange(ctx) // afterwards: rows may have been forgotten meanwhile
	if err != nil {
		return nil, err
	}
	if after < first-1 || after > last {
		return nil, syscall.ESTALE
	}
	seen := map[string]bool{}
	for _, c := range rows {
		if c.Name != "" {
			seen[c.Name] = true
			continue
		}
		links, err := f.db.Names(ctx, c.Ino)
		if err != nil && !errors.Is(err, syscall.ENOENT) {
			return nil, err
		}
		for _, l := range links {
			if l.Parent == dir {
				seen[l.Name] = true
			}
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	slices.Sort(names)
	return names, nil
}
