package fs

import (
	"context"
	"slices"
	"syscall"
)

// Role names that the core knows. The API's own role names count as well: see canRead and canWrite.
const (
	RoleAdmin  = "admin"  // everything, users included
	RoleEditor = "editor" // read and write every file of the tenant
	RoleReader = "reader" // read every file of the tenant
)

// Actor is who asks. A face builds one per request; the core only reads it.
type Actor struct {
	Tenant    string
	User      string
	Roles     []string
	Ownership []string
	UID, GID  uint32   // owner of what the actor creates; for HTTP faces zero means Options.UID and Options.GID
	Mount     bool     // the kernel has checked permissions already (default_permissions)
	Origin    string   // face named in change events: "mount", "dav", "rest", "core"
	Tokens    []string // WebDAV lock tokens that came with the request
}

// System is an actor with every right, for commands and tests.
func System(tenant, origin string) *Actor {
	return &Actor{Tenant: tenant, User: "system", Roles: []string{RoleAdmin}, Origin: origin}
}

type actorKey struct{}

// WithActor puts the actor of a request into its context.
func WithActor(ctx context.Context, a *Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom finds the actor that WithActor put there.
func ActorFrom(ctx context.Context) (*Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(*Actor)
	return a, ok && a != nil
}

// access is what an operation needs.
type access int

const (
	accessRead   access = iota // see names, attributes and bytes
	accessCreate               // make a new file or directory
	accessWrite                // change or remove what is there
)

var granting = map[access][]string{
	accessRead: {RoleAdmin, RoleEditor, RoleReader, "ROLE_INVENTORY_READ", "ROLE_BINARY_READ", "ROLE_INVENTORY_ADMIN",
		"ROLE_BINARY_ADMIN", "ROLE_EVENT_READ", "ROLE_EVENT_ADMIN"},
	accessCreate: {RoleAdmin, RoleEditor, "ROLE_INVENTORY_ADMIN", "ROLE_INVENTORY_CREATE", "ROLE_BINARY_ADMIN",
		"ROLE_BINARY_CREATE", "ROLE_EVENT_ADMIN"},
	accessWrite: {RoleAdmin, RoleEditor, "ROLE_INVENTORY_ADMIN", "ROLE_BINARY_ADMIN"},
}

// HasRole tells whether the actor has any of the roles.
func (a *Actor) HasRole(roles ...string) bool {
	return slices.ContainsFunc(a.Roles, func(r string) bool { return slices.Contains(roles, r) })
}

// may answers from the roles alone; owner rights are asked by the caller, who knows the file.
func (a *Actor) may(need access) bool {
	return a.Mount || a.HasRole(granting[need]...)
}

// allow refuses writers on a read-only core and actors without a role for need. Every operation of the core passes here.
func (f *FS) allow(a *Actor, need access) error {
	if need != accessRead && f.opts.ReadOnly {
		return syscall.EROFS
	}
	if !a.may(need) {
		return syscall.EACCES
	}
	return nil
}

// allowNode is allow for a node given by number: it has to be in the actor's tenant. The mount's kernel can only name nodes of its own tree.
func (f *FS) allowNode(ctx context.Context, a *Actor, ino Ino, need access) error {
	if !a.Mount {
		t, err := f.tenant(ctx, a)
		if err != nil {
			return err
		}
		attr, err := f.db.GetAttr(ctx, ino)
		if err != nil {
			return err
		}
		if attr.Tenant != t.ID {
			return syscall.ENOENT
		}
	}
	return f.allowFound(ctx, a, ino, need)
}

// allowFound is allow for a node of the actor's tenant: who owns the file may change and read it without a role.
func (f *FS) allowFound(ctx context.Context, a *Actor, ino Ino, need access) error {
	err := f.allow(a, need)
	if err != syscall.EACCES {
		return err
	}
	owner, perr := f.property(ctx, ino, "", PropUser)
	if perr == nil && owner != "" && owner == a.User {
		return nil
	}
	return err
}
