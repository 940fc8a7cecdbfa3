package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"tote/fs"
	"tote/meta"
)

// roles are the roles a user can have. The long names are those of the inventory API.
var roles = []string{
	fs.RoleAdmin, fs.RoleEditor, fs.RoleReader,
	"ROLE_INVENTORY_READ", "ROLE_INVENTORY_CREATE", "ROLE_INVENTORY_ADMIN",
	"ROLE_MANAGED_OBJECT_READ", "ROLE_MANAGED_OBJECT_ADMIN",
	"ROLE_BINARY_READ", "ROLE_BINARY_CREATE", "ROLE_BINARY_ADMIN",
	"ROLE_EVENT_READ", "ROLE_EVENT_ADMIN",
}

// firstUser makes the administrator of a fresh installation. It returns the file with the password when there is one.
func firstUser(ctx context.Context, db *meta.DB, d *dataDir, password string) (string, error) {
	file := d.file(passwordFile)
	_, err := db.GetUser(ctx, defaultTenant, adminUser)
	if err == nil || !errors.Is(err, syscall.ENOENT) {
		if _, serr := os.Stat(file); serr != nil {
			file = ""
		}
		return file, err
	}
	users, err := db.Users(ctx, defaultTenant)
	if err != nil || len(users) > 0 {
		return "", err // somebody removed admin on purpose
	}
	if password == "" {
		password = randomPassword()
		if err := writePassword(file, password); err != nil {
			return "", fmt.Errorf("%s: %w", file, cause(err))
		}
	} else {
		file = ""
	}
	hash, err := hashPassword(password)
	if err != nil {
		return "", err
	}
	return file, db.PutUser(ctx, newUser(defaultTenant, adminUser, hash, []string{fs.RoleAdmin}), meta.Durable)
}

func newUser(tenant, name, hash string, roles []string) meta.User {
	now := time.Now().UnixNano()
	return meta.User{Tenant: tenant, Name: name, Hash: hash, Roles: roles, Created: now, Updated: now}
}

// userArgs names a user and what to change. The password comes as a hash: it never leaves the process that read it.
type userArgs struct {
	Tenant string   `json:"tenant"`
	Name   string   `json:"name"`
	Hash   string   `json:"hash,omitempty"`
	Roles  []string `json:"roles,omitempty"`
}

// userInfo is a user as the commands show it, without the hash.
type userInfo struct {
	Tenant  string    `json:"tenant"`
	Name    string    `json:"name"`
	Roles   []string  `json:"roles"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

func infoOf(u meta.User) userInfo {
	return userInfo{u.Tenant, u.Name, u.Roles, time.Unix(0, u.Created).UTC(), time.Unix(0, u.Updated).UTC()}
}

// splitUser reads "name" or "tenant/name" and refuses what HTTP Basic can't carry.
func splitUser(s string) (tenant, name string, err error) {
	tenant, name = defaultTenant, s
	if t, n, ok := strings.Cut(s, "/"); ok {
		tenant, name = t, n
	}
	bad := func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == ':' || r == '/' }
	if name == "" || tenant == "" || len(name) > 128 || !utf8.ValidString(s) || strings.ContainsFunc(name, bad) {
		return "", "", usagef("user name %q: want 1 to 128 bytes without spaces, colons and slashes, or tenant/name", s)
	}
	return tenant, name, nil
}

func checkRoles(list []string) error {
	for _, r := range list {
		if !slices.Contains(roles, r) {
			return usagef("no role %q: want %s", r, strings.Join(roles, ", "))
		}
	}
	return nil
}

type listUsersArgs struct {
	Tenant string `json:"tenant"`
}

func (c *control) listUsers(ctx context.Context, a listUsersArgs, _ output) ([]userInfo, error) {
	if err := c.checkTenant(ctx, a.Tenant); err != nil {
		return nil, err
	}
	users, err := c.db.Users(ctx, a.Tenant)
	list := []userInfo{}
	for _, u := range users {
		list = append(list, infoOf(u))
	}
	return list, err
}

func (c *control) checkTenant(ctx context.Context, name string) error {
	_, err := c.db.TenantByName(ctx, name)
	if errors.Is(err, syscall.ENOENT) {
		return usagef("no tenant %q: tote tenant add %s makes it", name, name)
	}
	return err
}

func (c *control) addUser(ctx context.Context, a userArgs, _ output) (userInfo, error) {
	if err := errors.Join(c.checkTenant(ctx, a.Tenant), checkRoles(a.Roles)); err != nil {
		return userInfo{}, err
	}
	_, err := c.db.GetUser(ctx, a.Tenant, a.Name)
	if err == nil {
		return userInfo{}, usagef("user %s/%s exists", a.Tenant, a.Name)
	}
	if !errors.Is(err, syscall.ENOENT) {
		return userInfo{}, err
	}
	u := newUser(a.Tenant, a.Name, a.Hash, a.Roles)
	return infoOf(u), c.db.PutUser(ctx, u, meta.Durable)
}

// changeUser replaces the hash, the roles or both. A login that is remembered ends with the hash it was verified against.
func (c *control) changeUser(ctx context.Context, a userArgs, _ output) (userInfo, error) {
	if err := checkRoles(a.Roles); err != nil {
		return userInfo{}, err
	}
	u, err := c.user(ctx, a)
	if err != nil {
		return userInfo{}, err
	}
	if a.Roles != nil {
		if err := c.keepAdmin(ctx, u, a.Roles); err != nil {
			return userInfo{}, err
		}
		u.Roles = a.Roles
	}
	if a.Hash != "" {
		u.Hash = a.Hash
	}
	u.Updated = time.Now().UnixNano()
	if err := c.db.PutUser(ctx, u, meta.Durable); err != nil {
		return userInfo{}, err
	}
	if a.Hash != "" {
		err = c.forgetFirstPassword(u)
	}
	return infoOf(u), err
}

func (c *control) user(ctx context.Context, a userArgs) (meta.User, error) {
	u, err := c.db.GetUser(ctx, a.Tenant, a.Name)
	if errors.Is(err, syscall.ENOENT) {
		return u, usagef("no user %s/%s", a.Tenant, a.Name)
	}
	return u, err
}

// keepAdmin refuses to take the role from, or to remove, the last administrator of a tenant.
func (c *control) keepAdmin(ctx context.Context, u meta.User, now []string) error {
	if !slices.Contains(u.Roles, fs.RoleAdmin) || slices.Contains(now, fs.RoleAdmin) {
		return nil
	}
	users, err := c.db.Users(ctx, u.Tenant)
	if err != nil {
		return err
	}
	for _, other := range users {
		if other.Name != u.Name && slices.Contains(other.Roles, fs.RoleAdmin) {
			return nil
		}
	}
	return usagef("%s/%s is the last %s of its tenant: make another one first", u.Tenant, u.Name, fs.RoleAdmin)
}

// forgetFirstPassword removes the file with a password that does not hold any more.
func (c *control) forgetFirstPassword(u meta.User) error {
	if u.Tenant != defaultTenant || u.Name != adminUser {
		return nil
	}
	if err := os.Remove(c.data.file(passwordFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (c *control) removeUser(ctx context.Context, a userArgs, _ output) (userInfo, error) {
	u, err := c.user(ctx, a)
	if err != nil {
		return userInfo{}, err
	}
	if err := c.keepAdmin(ctx, u, nil); err != nil {
		return userInfo{}, err
	}
	if err := c.db.DeleteUser(ctx, a.Tenant, a.Name, meta.Durable); err != nil {
		return userInfo{}, err
	}
	return infoOf(u), c.forgetFirstPassword(u)
}
