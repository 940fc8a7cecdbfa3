package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"tote/meta"
)

func lockCommand() *cli.Command {
	tenant := &cli.StringFlag{Name: "tenant", Value: defaultTenant, Usage: "of `TENANT`"}
	return &cli.Command{
		Name:        "lock",
		Usage:       "list and break WebDAV locks",
		Description: "A lock ends by itself after an hour at most, unless its program renews it. Breaking one lets others change the file at once.",
		Subcommands: []*cli.Command{
			{Name: "ls", Usage: "list the locks that hold", Flags: []cli.Flag{dataFlag(), tenant, jsonFlag()}, Action: lockList},
			{Name: "rm", Usage: "break a lock", ArgsUsage: "TOKEN", Flags: []cli.Flag{dataFlag(), tenant}, Action: lockRemove},
		},
	}
}

// lockArgs name a tenant, and a lock of it.
type lockArgs struct {
	Tenant string `json:"tenant"`
	Token  string `json:"token,omitempty"`
}

// lockInfo is a lock as the commands show it.
type lockInfo struct {
	Token   string    `json:"token"`
	Path    string    `json:"path"`
	User    string    `json:"user"`
	Shared  bool      `json:"shared"`
	Tree    bool      `json:"tree"` // it holds for everything below, too
	Expires time.Time `json:"expires"`
}

func (c *control) listLocks(ctx context.Context, a lockArgs, _ output) ([]lockInfo, error) {
	t, err := c.tenantNamed(ctx, a.Tenant)
	if err != nil {
		return nil, err
	}
	locks, err := c.db.Locks(ctx, t.ID)
	list := []lockInfo{}
	for _, l := range locks {
		list = append(list, lockInfo{l.Token, l.Path, l.User, l.Shared, l.Infinite, l.Expires.UTC()})
	}
	return list, err
}

func (c *control) removeLock(ctx context.Context, a lockArgs, _ output) (lockInfo, error) {
	t, err := c.tenantNamed(ctx, a.Tenant)
	if err != nil {
		return lockInfo{}, err
	}
	err = c.db.DeleteLock(ctx, t.ID, a.Token, meta.Durable)
	if errors.Is(err, syscall.ENOENT) {
		err = usagef("no lock %q in tenant %s: tote lock ls shows them", a.Token, a.Tenant)
	}
	return lockInfo{Token: a.Token}, err
}

// tenantNamed finds a tenant that somebody named on the command line.
func (c *control) tenantNamed(ctx context.Context, name string) (meta.Tenant, error) {
	if err := c.checkTenant(ctx, name); err != nil {
		return meta.Tenant{}, err
	}
	return c.db.TenantByName(ctx, name)
}

func lockList(c *cli.Context) error {
	if err := argCount(c, 0, 0, c.Command.ArgsUsage); err != nil {
		return err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return err
	}
	var list []lockInfo
	if err := ask(c, cfg, needsDB, "lock-list", lockArgs{Tenant: c.String("tenant")}, &list, output{}); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, list)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 8, 2, ' ', 0)
	for _, l := range list {
		kind := "exclusive"
		if l.Shared {
			kind = "shared"
		}
		path := oneLine(l.Path)
		if l.Tree {
			kind += ", tree"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\tuntil %s\t%s\n", path, oneLine(l.User), kind, l.Expires.Local().Format("15:04:05"), l.Token)
	}
	return w.Flush()
}

func lockRemove(c *cli.Context) error {
	if err := argCount(c, 1, 1, c.Command.ArgsUsage); err != nil {
		return err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return err
	}
	var gone lockInfo
	return ask(c, cfg, needsDB, "lock-remove", lockArgs{c.String("tenant"), c.Args().First()}, &gone, output{})
}
