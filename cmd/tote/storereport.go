package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"tote/objstore"
	"tote/objstore/s3store"
)

// storeReport is what "tote status" says about the object store.
type storeReport struct {
	URL string   `json:"url"`           // without secrets
	Can []string `json:"can,omitempty"` // what a remote store was found to be able to do
}

// storeReport describes the store that is in use, or was when a server ran.
func (c *control) storeReport(ctx context.Context) (storeReport, error) {
	if c.core != nil {
		return storeReport{URL: redactURL(c.core.ref.text), Can: abilities(c.core.store)}, nil
	}
	known, err := c.db.Setting(ctx, storeSetting)
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return storeReport{}, err
	}
	if len(known) == 0 {
		known = []byte(ownStore)
	}
	return storeReport{URL: redactURL(string(known))}, nil
}

// abilities lists what a store found out about its server: names, and what has a number as name=number.
func abilities(s objstore.Store) []string {
	knows, ok := s.(interface{ Capabilities() s3store.Capabilities })
	if !ok {
		return nil
	}
	var list []string
	for _, a := range knows.Capabilities().LogValue().Group() {
		switch {
		case a.Value.Kind() != slog.KindBool:
			list = append(list, fmt.Sprintf("%s=%v", a.Key, a.Value))
		case a.Value.Bool():
			list = append(list, a.Key)
		}
	}
	return list
}
