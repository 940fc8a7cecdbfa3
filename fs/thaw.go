package fs

import (
	"context"
	"os"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// thaw turns the view of a reader, whose kernel file is the published object itself, into one that can be written: a copy takes the object's
// place in the store and under every other reader, and the file the kernel has becomes the work file. The caller holds e.mu. Somebody who is slow to
// take a chunk of the old file makes it fail with EBUSY, and nothing has changed then.
func (v *view) thaw(ctx context.Context, mtime int64) error {
	f := v.f
	adopter, ok := objstore.As[objstore.Adopter](f.store)
	if !ok || v.src == nil {
		return syscall.EBUSY
	}
	if v.base.State == meta.StateStaged {
		if err := f.settler.publish(ctx, &v.base); err != nil {
			return err
		}
	}
	name := f.staging.newName()
	w, err := v.linkObject(name)
	if err != nil {
		return err
	}
	if err := v.replaceObject(ctx, adopter, w); err != nil {
		w.close(f.staging)
		f.discard(name)
		return err
	}
	if w.stamp, err = stampOf(w.file); err != nil {
		w.dirty = true
	}
	w.mtime = mtime
	v.wmu.Lock()
	defer v.wmu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	f.closeSource(v.src)
	v.src, v.work = nil, w
	return nil
}

// linkObject gives the kernel's file a name in staging and opens it for writing.
func (v *view) linkObject(name string) (*work, error) {
	finder, ok := objstore.As[objstore.PathFinder](v.f.store)
	if !ok {
		return nil, syscall.EBUSY
	}
	path, err := finder.Path(v.base.Key)
	if err != nil {
		return nil, err
	}
	at := v.f.staging.path(name)
	if err := os.Link(path, at); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(at, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err == nil && !sameFile(file, v.back.File) {
		file.Close()
		err = syscall.EBUSY
	}
	if err != nil {
		v.f.discard(name)
		return nil, err
	}
	return &work{file: file, name: name, kernel: true, full: true}, nil
}

// sameFile tells whether two open files are one.
func sameFile(a, b *os.File) bool {
	x, err1 := a.Stat()
	y, err2 := b.Stat()
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// replaceObject puts a copy of the base under its readers and in the place of its object.
func (v *view) replaceObject(ctx context.Context, adopter objstore.Adopter, w *work) error {
	f := v.f
	twin, name, err := v.twin(w.file)
	if err != nil {
		return err
	}
	defer f.discard(name) // gone already when it was adopted
	if err := twin.Sync(); err != nil {
		twin.Close()
		return err
	}
	if err := v.src.swap(twin, f.patience); err != nil {
		twin.Close()
		return err
	}
	_, err = adopter.Adopt(ctx, v.base.Key, f.staging.path(name))
	return err
}

// twin copies the bytes of the base from a local file into a new one in staging.
func (v *view) twin(from *os.File) (*os.File, string, error) {
	twin, name, err := v.f.staging.create()
	if err != nil {
		return nil, "", err
	}
	if err := copyRange(twin, from, 0, v.base.Size); err != nil {
		twin.Close()
		v.f.discard(name)
		return nil, "", err
	}
	return twin, name, nil
}

// unshare gives readers of other faces, who opened the present version while nobody could write it, bytes of their own before a writer
// gets its file. The caller holds e.mu.
func (v *view) unshare() error {
	v.mu.RLock()
	w := v.work
	v.mu.RUnlock()
	if w == nil || v.base.ID == 0 || !w.isOf(v.base) {
		return nil
	}
	s := v.f.sources.borrow(v.base.ID)
	if s == nil {
		return nil
	}
	defer v.f.closeSource(s)
	twin, name, err := v.twin(w.file)
	if err != nil {
		return err
	}
	v.f.discard(name) // the readers' open file is all there is of it
	if err := s.swap(twin, v.f.patience); err != nil {
		twin.Close()
		return err
	}
	return nil
}
