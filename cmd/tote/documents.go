package main

import (
	"context"

	"tote/meta"
	"tote/restapi"
)

// documents lends the metadata database to the REST face, which knows the rows it wants but not who keeps them.
type documents struct{ db *meta.DB }

var _ restapi.Documents = documents{}

// PutBSO writes a row, durably.
func (d documents) PutBSO(ctx context.Context, b restapi.BSO, check func(old *restapi.BSO) error) error {
	var inner func(old *meta.BSO) error
	if check != nil {
		inner = func(old *meta.BSO) error {
			if old == nil {
				return check(nil)
			}
			row := restapi.BSO(*old)
			return check(&row)
		}
	}
	return d.db.PutBSO(context.WithoutCancel(ctx), meta.BSO(b), inner, meta.Durable)
}

// GetBSO finds a row by its id.
func (d documents) GetBSO(ctx context.Context, tenant, id string) (restapi.BSO, error) {
	b, err := d.db.GetBSO(ctx, tenant, id)
	return restapi.BSO(b), err
}

// BSOsByKey finds the rows about an object key.
func (d documents) BSOsByKey(ctx context.Context, tenant, key string) ([]restapi.BSO, error) {
	rows, err := d.db.BSOsByKey(ctx, tenant, key)
	return bsos(rows), err
}

// ListBSO pages through the rows of a tenant.
func (d documents) ListBSO(ctx context.Context, tenant string, types []string, offset, limit int) ([]restapi.BSO, error) {
	rows, err := d.db.ListBSO(ctx, tenant, types, offset, limit)
	return bsos(rows), err
}

// DeleteBSO removes a row, durably.
func (d documents) DeleteBSO(ctx context.Context, tenant, id string) error {
	return d.db.DeleteBSO(context.WithoutCancel(ctx), tenant, id, meta.Durable)
}

func bsos(rows []meta.BSO) []restapi.BSO {
	out := make([]restapi.BSO, len(rows))
	for i, r := range rows {
		out[i] = restapi.BSO(r)
	}
	return out
}
