package fs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// FsckOptions say how much is looked at.
type FsckOptions struct {
	Deep     bool                    // read every object and compare its checksum
	Progress func(done, total int64) // told after every version that was looked at; may be nil
}

// FsckReport counts what was looked at.
type FsckReport struct {
	Versions int64 `json:"versions"`
	Objects  int64 `json:"objects"` // that these versions have; copies of a file may share one
	Bytes    int64 `json:"bytes"`
	Problems int64 `json:"problems"`
}

// fsckPage is how many versions are read from the database together.
const fsckPage = 1000

// Fsck checks the invariants of the metadata and that every live version has an object of its size, with Deep also of its checksum. It
// changes nothing. Each problem is reported with the path of the file that it harms.
func (f *FS) Fsck(ctx context.Context, o FsckOptions, report func(problem string)) (FsckReport, error) {
	c := &checker{f: f, o: o, report: report, listed: idSet{}}
	f.endAllLingering()
	found, err := f.db.Check(ctx)
	for _, p := range found {
		c.r.Problems++
		report(p)
	}
	if err == nil {
		err = c.run(ctx)
	}
	if err == nil {
		c.r.Objects, err = f.db.LiveKeys(ctx)
	}
	return c.r, fail("fsck", "", err)
}

// describe names the file that a damaged version belongs to.
func (f *FS) describe(ctx context.Context, v Version, problem error) string {
	path, err := f.db.Path(ctx, v.Ino)
	if err != nil {
		path = fmt.Sprintf("file %d", v.Ino)
	}
	return fmt.Sprintf("%s: object %s: %v", path, v.Key, problem)
}

// checkVersion looks at the bytes of one version. listed says that the store has just shown its object with the right size.
func (f *FS) checkVersion(ctx context.Context, v Version, deep, listed bool) error {
	if v.Key == "" {
		return nil
	}
	err := f.checkBytes(ctx, v, deep, listed)
	if err == nil {
		return nil
	}
	now, nerr := f.db.VersionByID(ctx, v.ID)
	if nerr == nil && now.State == meta.StateGone || Errno(nerr) == syscall.ENOENT {
		return nil // it was replaced while we looked
	}
	return err
}

func (f *FS) checkBytes(ctx context.Context, v Version, deep, listed bool) error {
	if !listed || v.State != meta.StateStored {
		if err := f.checkSize(ctx, v); err != nil {
			return err
		}
	}
	if !deep || v.Sum == "" || v.State != meta.StateStored {
		return nil
	}
	sum, err := f.sumVersion(ctx, v)
	if err == nil && sum != v.Sum {
		err = fmt.Errorf("checksum is %s, not %s", sum, v.Sum)
	}
	return err
}

// checkSize compares how long the bytes of a version are with how long they should be.
func (f *FS) checkSize(ctx context.Context, v Version) error {
	size, err := f.storedSize(ctx, v)
	if err == nil && size != v.Size {
		err = fmt.Errorf("is %d bytes long, not %d", size, v.Size)
	}
	return err
}

// storedSize finds how long the bytes of a version are, in staging or in the store.
func (f *FS) storedSize(ctx context.Context, v Version) (int64, error) {
	if v.State == meta.StateStaged {
		if st, err := os.Lstat(f.staging.path(v.Staging)); err == nil {
			return st.Size(), nil
		}
	}
	ctx, cancel := f.bound(ctx, 0)
	defer cancel()
	info, err := f.store.Stat(ctx, v.Key)
	if errors.Is(err, objstore.ErrNotFound) && v.State == meta.StateRedo {
		return v.Size, nil // waits to be completed
	}
	if errors.Is(err, objstore.ErrNotFound) {
		return 0, errors.New("is missing")
	}
	return info.Size, err
}

// Status is what a status page shows.
type Status struct {
	Files   int64 `json:"files"`   // names in all tenants, directories included
	Bytes   int64 `json:"bytes"`   // sum of the files' sizes
	Staged  int64 `json:"staged"`  // closed files that are not marked as stored yet
	Intents int64 `json:"intents"` // objects that wait to be deleted
	Uploads int64 `json:"uploads"` // multipart uploads under way
	Open    int64 `json:"open"`    // files that somebody has open
	DB      int64 `json:"db"`      // bytes of the metadata database
}

// Status counts what the core holds. The store is not asked.
func (f *FS) Status(ctx context.Context) (Status, error) {
	st, err := f.db.Stats(ctx)
	if err != nil {
		return Status{}, fail("status", "", err)
	}
	s := Status{
		Staged: st.Versions[meta.StateStaged] + st.Versions[meta.StateRedo], Intents: st.Intents, Uploads: st.Uploads,
		Open: int64(f.table.len()), DB: st.Bytes,
	}
	all, err := f.db.Tenants(ctx)
	for _, t := range all {
		var u meta.Usage
		if u, err = f.db.Usage(ctx, t.ID); err != nil {
			break
		}
		s.Files += u.Files
		s.Bytes += u.Bytes
	}
	return s, fail("status", "", err)
}
