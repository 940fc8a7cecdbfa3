package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"tote/objstore"
)

// tombstone is what a completed upload leaves behind. It is written before the object is published, and as
// long as Source is still in the upload's directory publishing has yet to happen: a crash between the two is
// made good by the next Complete, and is told from a success that was forgotten.
type tombstone struct {
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	ETag     string    `json:"etag"`
	Source   string    `json:"source"`
}

func readTombstone(d *dir) (t tombstone, err error) {
	err = readJSON(d, doneName, &t)
	return t, err
}

// Complete joins the parts and publishes them.
func (u *upload) Complete(ctx context.Context, parts []objstore.Part) (info objstore.Info, err error) {
	defer u.s.ids.lock(u.id)()
	if err = ctx.Err(); err == nil {
		err = u.in(func(d *dir) error {
			info, err = u.complete(ctx, d, parts)
			return err
		})
	}
	if err != nil {
		return objstore.Info{}, fail("complete upload of", u.key, err)
	}
	return info, nil
}

func (u *upload) complete(ctx context.Context, d *dir, parts []objstore.Part) (objstore.Info, error) {
	t, err := readTombstone(d)
	if errors.Is(err, syscall.ENOENT) {
		t, err = u.join(ctx, d, parts)
		if err == nil {
			err = u.s.writeJSON(d, doneName, t)
		}
	}
	if err != nil {
		return objstore.Info{}, err
	}
	if err := u.publish(d, t); err != nil {
		return objstore.Info{}, err
	}
	u.tidy(ctx, d)
	return objstore.Info{Key: u.key, Size: t.Size, Modified: t.Modified, ETag: t.ETag}, nil
}

// publish renames the source into place if it is not there yet. The directory is flushed in any case: a repeat
// may come because that is what failed.
func (u *upload) publish(d *dir, t tombstone) error {
	if _, err := d.stat(t.Source); err == nil {
		return u.s.publish(d, t.Source, u.loc, true)
	} else if !errors.Is(err, syscall.ENOENT) {
		return err
	}
	return u.s.in(u.loc.dir, true, u.s.persist)
}

// join makes one file of the parts. A single part is that file already.
func (u *upload) join(ctx context.Context, d *dir, parts []objstore.Part) (tombstone, error) {
	if err := objstore.CheckParts(parts); err != nil {
		return tombstone{}, err
	}
	for _, p := range parts {
		if err := checkPart(d, p); err != nil {
			return tombstone{}, err
		}
	}
	if len(parts) == 1 {
		name := partName(parts[0].Number)
		info, err := d.stat(name)
		return newTombstone(info, name), err
	}
	info, err := u.s.create(d, finalName, func(f *os.File) error {
		for _, p := range parts {
			if err := appendPart(ctx, f, d, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		_ = d.remove(finalName) // Sweep would, too
	}
	return newTombstone(info, finalName), err
}

func newTombstone(info objstore.Info, source string) tombstone {
	return tombstone{Size: info.Size, Modified: info.Modified, ETag: info.ETag, Source: source}
}

func appendPart(ctx context.Context, dst *os.File, d *dir, p objstore.Part) error {
	src, err := d.file(partName(p.Number))
	if err != nil {
		return err
	}
	defer src.Close()
	return copyFile(ctx, dst, src, p.Size)
}

// checkPart compares a part with its file.
func checkPart(d *dir, p objstore.Part) error {
	info, err := d.stat(partName(p.Number))
	if errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("%w: number %d was not uploaded", objstore.ErrPart, p.Number)
	}
	if err == nil && (info.ETag != p.ETag || info.Size != p.Size) {
		return fmt.Errorf("%w: number %d was replaced or never had this size and tag", objstore.ErrPart, p.Number)
	}
	return err
}

// tidy removes what a completed upload no longer needs. The manifest stays, so that the tombstone is found. A
// file it can't remove is left to Sweep: the object is published, so there is no failure to report.
func (u *upload) tidy(ctx context.Context, d *dir) {
	f, err := d.reader(u.s.path)
	if err != nil {
		return
	}
	defer f.Close()
	_ = readEntries(context.WithoutCancel(ctx), f, func(e fs.DirEntry) error {
		if e.Name() != doneName && e.Name() != manifestName {
			_ = d.remove(e.Name())
		}
		return nil
	})
}

// Abort moves the upload's directory out of sight, which ends the upload at once, and removes it. The tombstone
// of a published object is left alone.
func (u *upload) Abort(ctx context.Context) error {
	defer u.s.ids.lock(u.id)()
	if err := ctx.Err(); err != nil {
		return err
	}
	err := u.in(u.isOpen)
	if errors.Is(err, objstore.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = u.drop()
	}
	if err != nil {
		return fail("abort upload of", u.key, err)
	}
	return nil
}

// drop removes the upload's directory. Each Part that had opened it before may still add one file to it, so
// that it may take several tries to find it empty; a Part that comes too late finds it gone.
func (u *upload) drop() error {
	tmp := path.Join(tmpDir, rand.Text())
	if err := u.s.root.Rename(u.path(""), tmp); err != nil {
		return err
	}
	for {
		if err := u.s.root.RemoveAll(tmp); !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
}
