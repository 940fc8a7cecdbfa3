package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"tote/meta"
)

// tenantCommands make, remove and list tenants.
func tenantCommands() []*cli.Command {
	force := &cli.BoolFlag{Name: "force", Usage: "also when the tenant has files or users: all of them are deleted"}
	return []*cli.Command{
		{Name: "add", Usage: "make a tenant, a tree of files with users of its own", ArgsUsage: "TENANT", Flags: []cli.Flag{dataFlag()}, Action: tenantAdd},
		{Name: "rm", Usage: "remove a tenant", ArgsUsage: "TENANT", Flags: []cli.Flag{dataFlag(), force}, Action: tenantRemove},
		{Name: "ls", Usage: "list tenants", ArgsUsage: " ", Flags: []cli.Flag{dataFlag(), jsonFlag()}, Action: tenantList},
	}
}

// tenantArgs names a tenant.
type tenantArgs struct {
	Name  string `json:"name"`
	Force bool   `json:"force,omitempty"`
}

// tenantInfo is a tenant as the commands show it.
type tenantInfo struct {
	Name  string `json:"name"`
	Users int    `json:"users"`
	Files int64  `json:"files"` // directories included
	Bytes int64  `json:"bytes"`
}

// reservedTenants can't be names of tenants: their URLs mean something else.
var reservedTenants = []string{
	"api", "data", "dav", "blobs", "inventory", "event", "tenant", "user", "platform", "identity", "measurement", "alarm", "audit", "devicecontrol",
	"docs", "healthz", "readyz", "metrics", "clients", "notification", "service", "ui",
}

const maxTenantName = 63

// checkTenantName refuses what can't stand in a URL, a host name, a login and an object key alike.
func checkTenantName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	switch {
	case name == "" || len(name) > maxTenantName || strings.Trim(name, letters+"-_") != "" || !strings.Contains(letters, name[:1]):
		return usagef("tenant name %q: want 1 to %d lower-case letters, digits, - and _, beginning with a letter or digit", name, maxTenantName)
	case slices.Contains(reservedTenants, name):
		return usagef("tenant name %q means something else in URLs: take another one", name)
	}
	return nil
}

func tenantAdd(c *cli.Context) error {
	var t tenantInfo
	err := changeTenant(c, needsDB, "tenant-add", &t)
	if err == nil {
		fmt.Fprintf(c.App.Writer, "next: tote user add NAME --tenant %s --role admin\n", t.Name)
	}
	return err
}

func tenantRemove(c *cli.Context) error {
	var t tenantInfo
	return changeTenant(c, needsCore, "tenant-remove", &t)
}

func changeTenant(c *cli.Context, n needs, command string, t *tenantInfo) error {
	if err := argCount(c, 1, 1, c.Command.ArgsUsage); err != nil {
		return err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return err
	}
	a := tenantArgs{Name: c.Args().First(), Force: c.Bool("force")}
	return ask(c, cfg, n, command, a, t, output{})
}

func tenantList(c *cli.Context) error {
	if err := argCount(c, 0, 0, ""); err != nil {
		return err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return err
	}
	var list []tenantInfo
	if err := ask(c, cfg, needsDB, "tenant-list", struct{}{}, &list, output{}); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, list)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 8, 2, ' ', 0)
	for _, t := range list {
		fmt.Fprintf(w, "%s\t%d users\t%d files\t%s\n", t.Name, t.Users, t.Files, humanize.IBytes(uint64(max(t.Bytes, 0))))
	}
	return w.Flush()
}

func (c *control) addTenant(ctx context.Context, a tenantArgs, _ output) (tenantInfo, error) {
	if err := checkTenantName(a.Name); err != nil {
		return tenantInfo{}, err
	}
	_, err := c.db.TenantByName(ctx, a.Name)
	if err == nil {
		return tenantInfo{}, usagef("tenant %s exists", a.Name)
	}
	if !errors.Is(err, syscall.ENOENT) {
		return tenantInfo{}, err
	}
	uid, gid := c.cfg.UID, c.cfg.GID
	if c.started.IsZero() { // no server told us whose its files are
		uid, gid = uint32(os.Getuid()), uint32(os.Getgid())
	}
	_, err = c.db.EnsureTenant(ctx, a.Name, rootMode, uid, gid, meta.Durable)
	return tenantInfo{Name: a.Name}, err
}

func (c *control) listTenants(ctx context.Context, _ struct{}, _ output) ([]tenantInfo, error) {
	all, err := c.db.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	list := []tenantInfo{}
	for _, t := range all {
		info, err := c.tenantInfo(ctx, t)
		if err != nil {
			return nil, err
		}
		list = append(list, info)
	}
	return list, nil
}

func (c *control) tenantInfo(ctx context.Context, t meta.Tenant) (tenantInfo, error) {
	u, err := c.db.Usage(ctx, t.ID)
	if err != nil {
		return tenantInfo{}, err
	}
	users, err := c.db.Users(ctx, t.Name)
	return tenantInfo{Name: t.Name, Users: len(users), Files: u.Files, Bytes: u.Bytes}, err
}

// removeTenant deletes everything that a tenant has, for good.
func (c *control) removeTenant(ctx context.Context, a tenantArgs, _ output) (tenantInfo, error) {
	t, err := c.db.TenantByName(ctx, a.Name)
	if errors.Is(err, syscall.ENOENT) {
		return tenantInfo{}, usagef("no tenant %q", a.Name)
	}
	if err != nil {
		return tenantInfo{}, err
	}
	info, err := c.tenantInfo(ctx, t)
	switch {
	case err != nil:
		return tenantInfo{}, err
	case a.Name == defaultTenant:
		return tenantInfo{}, usagef("tenant %s belongs to the installation and stays", a.Name)
	case c.mounted() != nil && c.cfg.tenant() == a.Name:
		return tenantInfo{}, failf(exitBusy, "tenant %s is mounted on %s: unmount it first", a.Name, c.cfg.Mount)
	case (info.Files > 0 || info.Users > 0) && !a.Force:
		return tenantInfo{}, usagef("tenant %s has %d files and %d users: --force deletes them too", a.Name, info.Files, info.Users)
	}
	err = c.core.fs.RemoveTenant(ctx, a.Name)
	if errors.Is(err, syscall.EBUSY) {
		return tenantInfo{}, failf(exitBusy, "files of tenant %s are in use: try again once they are closed", a.Name)
	}
	return info, err
}
