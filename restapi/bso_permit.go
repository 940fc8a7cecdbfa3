package restapi

import (
	"context"
	"slices"
	"strings"

	"tote/fs"
)

// Roles that the service asks for. The core asks again, and more coarsely.
var (
	bsoReaders  = []string{fs.RoleAdmin, fs.RoleEditor, fs.RoleReader, "ROLE_INVENTORY_READ", "ROLE_BINARY_READ"}
	bsoWriters  = []string{fs.RoleAdmin, fs.RoleEditor, "ROLE_INVENTORY_ADMIN", "ROLE_BINARY_ADMIN"}
	bsoCreators = append([]string{"ROLE_INVENTORY_CREATE", "ROLE_BINARY_CREATE"}, bsoWriters...)
)

// TenantOptions are what a tenant has chosen for its binary stream objects.
type TenantOptions struct {
	// Permissions makes the properties user, role and ownershipData decide who may read and change an object. Without it they are only kept.
	Permissions bool
	// KeepBlobs lets the bytes stay when their object is deleted.
	KeepBlobs bool
}

type delegateKey struct{}

// WithDelegate marks a request whose credentials belong to a program that acts for many people: its x-rdp headers say for whom.
func WithDelegate(ctx context.Context) context.Context {
	return context.WithValue(ctx, delegateKey{}, true)
}

// caller is who is compared with the properties of an object.
type caller struct {
	user      string
	roles     []string
	ownership []string
	all       bool // an administrator who acts for nobody else
}

// caller is who a URL was made for, or a request comes from. Programs, and administrators, may act for others; anybody else is who logged in.
func (c claims) caller() caller {
	self := caller{user: c.User, roles: c.Roles, ownership: c.Ownership, all: slices.Contains(c.Roles, fs.RoleAdmin) && !c.Delegate}
	if !c.Delegate && !self.all || c.As == "" && c.RoleText == "" && c.OwnerText == "" {
		return self
	}
	return caller{user: c.acting(), roles: listOf(c.RoleText), ownership: listOf(c.OwnerText)}
}

// permits tells whether an object is for somebody: one of user, role and ownership says so, or none of them says anything.
func (o *object) permits(c caller) bool {
	user := o.owner()
	roles, ownership := listOf(textOf(o.props[fs.PropRole])), listOf(textOf(o.props[fs.PropOwnershipData]))
	if c.all || user == "" && len(roles) == 0 && len(ownership) == 0 {
		return true
	}
	return user != "" && sameUser(user, c.user) || common(roles, c.roles) || common(ownership, c.ownership)
}

// sameUser compares user ids. One of the documented clients appends a suffix to them.
func sameUser(a, b string) bool {
	return strings.TrimSuffix(a, "_user") == strings.TrimSuffix(b, "_user")
}

func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(v string) bool { return slices.Contains(b, v) })
}

// tenantOptions are those of the caller's tenant.
func (s *server) tenantOptions(ctx context.Context, tenant string) (TenantOptions, error) {
	if s.opts.TenantOptions == nil {
		return TenantOptions{}, nil
	}
	return s.opts.TenantOptions(ctx, tenant)
}

// permit tells by the tenant's switch whether somebody may touch an object at all.
func (s *server) permit(ctx context.Context, tenant string, who caller, o *object) error {
	opts, err := s.tenantOptions(ctx, tenant)
	if err != nil || !opts.Permissions || o.permits(who) {
		return err
	}
	return bsoDenied("object permission")
}

// permit is for the caller of an operation.
func (c *call) permit(o *object) error {
	return c.s.permit(c.ctx, c.actor.Tenant, c.claims().caller(), o)
}

// mayRead tells whether the caller may see an object's bytes.
func (c *call) mayRead(o *object) error {
	if !c.actor.HasRole(bsoReaders...) && (o.owner() == "" || o.owner() != c.actor.User) {
		return bsoDenied("role")
	}
	return c.permit(o)
}

// mayChange tells whether the caller may change or delete an object.
func (c *call) mayChange(o *object) error {
	if !c.actor.HasRole(bsoWriters...) && (o.owner() == "" || o.owner() != c.actor.User) {
		return bsoDenied("role")
	}
	return c.permit(o)
}

// visible applies the permissions to what get found: by default one object that is not for the caller spoils the answer, and who asks to be
// accommodated gets the others.
func (c *call) visible(req *bsoRequest) (func(*object) (bool, error), error) {
	opts, err := c.s.tenantOptions(c.ctx, c.actor.Tenant)
	if err != nil || !opts.Permissions {
		return func(*object) (bool, error) { return true, nil }, err
	}
	who, accommodate := c.claims().caller(), strings.EqualFold(req.Params.Authorization, "accommodate")
	return func(o *object) (bool, error) {
		if o.permits(who) {
			return true, nil
		}
		if accommodate {
			return false, nil
		}
		return false, bsoDenied("object permission")
	}, nil
}
