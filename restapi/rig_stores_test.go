package restapi

import (
	"context"
	"net/http"
	"time"

	"tote/fs"
	"tote/meta"
)

// What follows is as thin as the composer's.

func (d documents) AddManaged(ctx context.Context, m fs.Managed) (fs.Managed, error) {
	return d.db.AddManaged(ctx, m, meta.Durable)
}

func (d documents) GetManaged(ctx context.Context, tenant string, id fs.Ino) (fs.Managed, error) {
	return d.db.GetManaged(ctx, tenant, id)
}

func (d documents) ChangeManaged(ctx context.Context, tenant string, id fs.Ino, change func(*fs.Managed) error) (fs.Managed, error) {
	return d.db.ChangeManaged(ctx, tenant, id, change, meta.Durable)
}

func (d documents) DeleteManaged(ctx context.Context, tenant string, id fs.Ino) error {
	return d.db.DeleteManaged(ctx, tenant, id, meta.Durable)
}

func (d documents) ManagedList(ctx context.Context, q fs.ManagedQuery) ([]fs.Managed, error) {
	return d.db.ManagedList(ctx, q)
}

func (d documents) CountManaged(ctx context.Context, q fs.ManagedQuery) (int64, error) {
	return d.db.CountManaged(ctx, q)
}

func (d documents) AddRelations(ctx context.Context, rels []fs.Relation) error {
	return d.db.AddRelations(ctx, rels, meta.Durable)
}

func (d documents) DeleteRelation(ctx context.Context, r fs.Relation) error {
	return d.db.DeleteRelation(ctx, r, meta.Durable)
}

func (d documents) Children(ctx context.Context, r fs.Relation, limit int) ([]fs.Ino, error) {
	return d.db.Children(ctx, r, limit)
}

func (d documents) Parents(ctx context.Context, r fs.Relation, limit int) ([]fs.Ino, error) {
	return d.db.Parents(ctx, r, limit)
}

func (d documents) AddEvent(ctx context.Context, e fs.EventRow) (fs.EventRow, error) {
	return d.db.AddEvent(ctx, e, meta.Durable)
}

func (d documents) GetEvent(ctx context.Context, tenant string, id fs.Ino) (fs.EventRow, error) {
	return d.db.GetEvent(ctx, tenant, id)
}

func (d documents) ChangeEvent(ctx context.Context, tenant string, id fs.Ino, change func(*fs.EventRow) error) (fs.EventRow, error) {
	return d.db.ChangeEvent(ctx, tenant, id, change, meta.Durable)
}

func (d documents) DeleteEvent(ctx context.Context, tenant string, id fs.Ino) error {
	return d.db.DeleteEvent(ctx, tenant, id, meta.Durable)
}

func (d documents) EventList(ctx context.Context, q fs.EventQuery) ([]fs.EventRow, error) {
	return d.db.EventList(ctx, q)
}

func (d documents) CountEvents(ctx context.Context, q fs.EventQuery) (int64, error) {
	return d.db.CountEvents(ctx, q)
}

func (d documents) OldPartials(ctx context.Context, before int64, limit int) ([]fs.EventRow, error) {
	return d.db.OldPartials(ctx, before, limit)
}

// accounts takes "right" for everybody's password.
type accounts struct{}

func (accounts) Login(r *http.Request, tenant, user, password string) (Session, error) {
	if user == "busy" {
		return Session{}, ErrLoginBusy
	}
	if _, known := users[user]; !known || password != "right" {
		return Session{}, ErrCredentials
	}
	return Session{Token: tenant + "/" + user, Expires: time.Now().Add(time.Hour)}, nil
}

func (accounts) Logout(*http.Request) error { return nil }
