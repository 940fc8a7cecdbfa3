package main

import (
	"context"

	"tote/fs"
	"tote/meta"
	"tote/restapi"
)

var (
	_ restapi.Objects   = documents{}
	_ restapi.Relations = documents{}
	_ restapi.Events    = documents{}
	_ restapi.Partials  = documents{}
)

// AddManaged makes a managed object, durably.
func (d documents) AddManaged(ctx context.Context, m fs.Managed) (fs.Managed, error) {
	return d.db.AddManaged(context.WithoutCancel(ctx), m, meta.Durable)
}

// GetManaged finds a managed object.
func (d documents) GetManaged(ctx context.Context, tenant string, id fs.Ino) (fs.Managed, error) {
	return d.db.GetManaged(ctx, tenant, id)
}

// ChangeManaged edits a managed object, durably.
func (d documents) ChangeManaged(ctx context.Context, tenant string, id fs.Ino, change func(*fs.Managed) error) (fs.Managed, error) {
	return d.db.ChangeManaged(context.WithoutCancel(ctx), tenant, id, change, meta.Durable)
}

// DeleteManaged removes a managed object, durably.
func (d documents) DeleteManaged(ctx context.Context, tenant string, id fs.Ino) error {
	return d.db.DeleteManaged(context.WithoutCancel(ctx), tenant, id, meta.Durable)
}

// ManagedList pages through managed objects.
func (d documents) ManagedList(ctx context.Context, q fs.ManagedQuery) ([]fs.Managed, error) {
	return d.db.ManagedList(ctx, q)
}

// CountManaged counts managed objects.
func (d documents) CountManaged(ctx context.Context, q fs.ManagedQuery) (int64, error) {
	return d.db.CountManaged(ctx, q)
}

// AddRelations makes relations, durably.
func (d documents) AddRelations(ctx context.Context, rels []fs.Relation) error {
	return d.db.AddRelations(context.WithoutCancel(ctx), rels, meta.Durable)
}

// DeleteRelation ends a relation, durably.
func (d documents) DeleteRelation(ctx context.Context, r fs.Relation) error {
	return d.db.DeleteRelation(context.WithoutCancel(ctx), r, meta.Durable)
}

// Children lists the children of a managed object.
func (d documents) Children(ctx context.Context, r fs.Relation, limit int) ([]fs.Ino, error) {
	return d.db.Children(ctx, r, limit)
}

// Parents lists the parents of a managed object.
func (d documents) Parents(ctx context.Context, r fs.Relation, limit int) ([]fs.Ino, error) {
	return d.db.Parents(ctx, r, limit)
}

// AddEvent makes an event, durably.
func (d documents) AddEvent(ctx context.Context, e fs.EventRow) (fs.EventRow, error) {
	return d.db.AddEvent(context.WithoutCancel(ctx), e, meta.Durable)
}

// GetEvent finds an event.
func (d documents) GetEvent(ctx context.Context, tenant string, id fs.Ino) (fs.EventRow, error) {
	return d.db.GetEvent(ctx, tenant, id)
}

// ChangeEvent edits an event, durably.
func (d documents) ChangeEvent(ctx context.Context, tenant string, id fs.Ino, change func(*fs.EventRow) error) (fs.EventRow, error) {
	return d.db.ChangeEvent(context.WithoutCancel(ctx), tenant, id, change, meta.Durable)
}

// DeleteEvent removes an event, durably.
func (d documents) DeleteEvent(ctx context.Context, tenant string, id fs.Ino) error {
	return d.db.DeleteEvent(context.WithoutCancel(ctx), tenant, id, meta.Durable)
}

// EventList pages through events.
func (d documents) EventList(ctx context.Context, q fs.EventQuery) ([]fs.EventRow, error) {
	return d.db.EventList(ctx, q)
}

// CountEvents counts events.
func (d documents) CountEvents(ctx context.Context, q fs.EventQuery) (int64, error) {
	return d.db.CountEvents(ctx, q)
}

// OldPartials lists events whose attachments have not grown.
func (d documents) OldPartials(ctx context.Context, before int64, limit int) ([]fs.EventRow, error) {
	return d.db.OldPartials(ctx, before, limit)
}
