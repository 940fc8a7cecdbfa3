package fs

import (
	"context"
	"errors"
	"syscall"

	"tote/meta"
)

// RemoveTenant deletes a tenant with its files, users, documents and locks, whatever the locks say. It is ENOENT when there is none, and EBUSY
// while somebody reads or writes one of its files or makes new ones: the files are gone by then, and a second call removes the rest.
func (f *FS) RemoveTenant(ctx context.Context, name string) error {
	return fail("remove tenant", name, f.removeTenant(detach(ctx), name))
}

func (f *FS) removeTenant(ctx context.Context, name string) error {
	a := System(name, "core")
	t, err := f.db.TenantByName(ctx, name)
	if err != nil {
		return err
	}
	for {
		list, err := f.db.ReadDir(ctx, t.Root, 0, copyPage)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		for _, d := range list {
			if err := f.removeEntry(ctx, a, t.Root, d.Name); err != nil && !errors.Is(err, syscall.ENOENT) {
				return err
			}
		}
	}
	err = f.db.DeleteTenant(ctx, name, meta.Durable)
	if errors.Is(err, syscall.ENOTEMPTY) {
		return syscall.EBUSY
	}
	if err != nil {
		return err
	}
	f.tenants.Delete(name)
	f.tenants.Delete(t.ID)
	f.noLocks.Delete(t.ID)
	return nil
}

// removeEntry removes an entry with all below it.
func (f *FS) removeEntry(ctx context.Context, a *Actor, dir Ino, name string) error {
	r := f.table.reaper()
	done, err := f.db.RemoveTree(ctx, meta.RemoveTreeArgs{Parent: dir, Name: name, Keep: r.keep, Origin: a.Origin}, meta.Durable)
	r.done()
	if err != nil {
		return err
	}
	f.orphan(ctx, done.Orphans...)
	f.discard(done.Staging...)
	f.emit(Event{Op: "delete", Ino: done.Root.Ino, Parent: dir, Name: name, Entry: true, Attrs: true, Origin: a.Origin})
	return nil
}
