package fs

import "context"

// PropValues are up to most different values that one of tote's own properties has. They tell a face which values are worth looking for, and are not
// for clients: other tenants' are among them.
func (f *FS) PropValues(ctx context.Context, name string, most int) ([]string, error) {
	values, err := f.db.PropValues(ctx, name, most)
	return values, fail("properties", "", err)
}
