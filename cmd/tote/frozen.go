package main

import (
	"context"
	"syscall"

	"tote/fs"
	"tote/restapi"
)

// frozen is documents for a read-only server: what changes something fails with EROFS, as the core does for files.
type frozen struct{ documents }

var (
	_ restapi.Documents = frozen{}
	_ restapi.Objects   = frozen{}
	_ restapi.Relations = frozen{}
	_ restapi.Events    = frozen{}
)

// PutBSO refuses to write a row.
func (frozen) PutBSO(context.Context, restapi.BSO, func(old *restapi.BSO) error) error {
	return syscall.EROFS
}

// DeleteBSO refuses to remove a row.
func (frozen) DeleteBSO(context.Context, string, string) error { return syscall.EROFS }

// AddManaged refuses to make an object.
func (frozen) AddManaged(context.Context, fs.Managed) (fs.Managed, error) {
	return fs.Managed{}, syscall.EROFS
}

// ChangeManaged refuses to change an object.
func (frozen) ChangeManaged(context.Context, string, fs.Ino, func(*fs.Managed) error) (fs.Managed, error) {
	return fs.Managed{}, syscall.EROFS
}

// DeleteManaged refuses to remove an object.
func (frozen) DeleteManaged(context.Context, string, fs.Ino) error { return syscall.EROFS }

// AddRelations refuses to make children.
func (frozen) AddRelations(context.Context, []fs.Relation) error { return syscall.EROFS }

// DeleteRelation refuses to part a child from its parent.
func (frozen) DeleteRelation(context.Context, fs.Relation) error { return syscall.EROFS }

// AddEvent refuses to make an event.
func (frozen) AddEvent(context.Context, fs.EventRow) (fs.EventRow, error) {
	return fs.EventRow{}, syscall.EROFS
}

// ChangeEvent refuses to change an event.
func (frozen) ChangeEvent(context.Context, string, fs.Ino, func(*fs.EventRow) error) (fs.EventRow, error) {
	return fs.EventRow{}, syscall.EROFS
}

// DeleteEvent refuses to remove an event.
func (frozen) DeleteEvent(context.Context, string, fs.Ino) error { return syscall.EROFS }
