package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"

	"github.com/urfave/cli/v2"

	"tote/meta"
	"tote/restapi"
)

// optionsDoc is how the options of a tenant are kept. What is not set has its default.
type optionsDoc struct {
	Permissions bool `json:"permissions,omitempty"`
	KeepBlobs   bool `json:"keepBlobs,omitempty"`
}

// tenantOptions reads the options of a tenant.
func tenantOptions(ctx context.Context, db *meta.DB, tenant string) (restapi.TenantOptions, error) {
	d, err := readOptions(ctx, db, tenant)
	return restapi.TenantOptions{Permissions: d.Permissions, KeepBlobs: d.KeepBlobs}, err
}

func readOptions(ctx context.Context, db *meta.DB, tenant string) (d optionsDoc, err error) {
	text, err := db.TenantOptions(ctx, tenant)
	if err != nil || len(text) == 0 {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("options of tenant %s: %w", tenant, err)
	}
	return d, nil
}

// tenantGroup holds the commands about tenants.
func tenantGroup() *cli.Command {
	return &cli.Command{Name: "tenant", Usage: "manage tenants", Subcommands: append(tenantCommands(), tenantSetCommand())}
}

// tenantSetCommand changes what a tenant has chosen.
func tenantSetCommand() *cli.Command {
	return &cli.Command{
		Name:      "set",
		Usage:     "change or show the options of a tenant's binary stream objects",
		ArgsUsage: "TENANT",
		Flags: []cli.Flag{
			dataFlag(),
			&cli.StringFlag{Name: "permissions", Usage: "`on`: the properties user, role and ownershipData decide who may use an object; off: they are only kept"},
			&cli.StringFlag{Name: "delete-blobs", Usage: "`on`: the bytes go with their object; off: they stay"},
		},
		Action: tenantSet,
	}
}

// tenantSetArgs name what to change; nil leaves it.
type tenantSetArgs struct {
	Tenant      string `json:"tenant"`
	Permissions *bool  `json:"permissions,omitempty"`
	DeleteBlobs *bool  `json:"deleteBlobs,omitempty"`
}

func tenantSet(c *cli.Context) error {
	if err := argCount(c, 1, 1, c.Command.ArgsUsage); err != nil {
		return err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return err
	}
	a := tenantSetArgs{Tenant: c.Args().First()}
	if a.Permissions, err = onOff(c, "permissions"); err != nil {
		return err
	}
	if a.DeleteBlobs, err = onOff(c, "delete-blobs"); err != nil {
		return err
	}
	var now optionsDoc
	if err := ask(c, cfg, needsDB, "tenant-set", a, &now, output{}); err != nil {
		return err
	}
	word := map[bool]string{true: "on", false: "off"}
	fmt.Fprintf(c.App.Writer, "permissions\t%s\ndelete-blobs\t%s\n", word[now.Permissions], word[!now.KeepBlobs])
	return nil
}

// onOff reads a flag with two values; nil when it was not given.
func onOff(c *cli.Context, flag string) (*bool, error) {
	v := c.String(flag)
	switch v {
	case "":
		return nil, nil
	case "on", "off":
		on := v == "on"
		return &on, nil
	}
	return nil, usagef("--%s %q: want on or off", flag, v)
}

func (c *control) setTenant(ctx context.Context, a tenantSetArgs, _ output) (optionsDoc, error) {
	if err := c.checkTenant(ctx, a.Tenant); err != nil {
		return optionsDoc{}, err
	}
	d, err := readOptions(ctx, c.db, a.Tenant)
	if err != nil || a.Permissions == nil && a.DeleteBlobs == nil {
		return d, err
	}
	if a.Permissions != nil {
		d.Permissions = *a.Permissions
	}
	if a.DeleteBlobs != nil {
		d.KeepBlobs = !*a.DeleteBlobs
	}
	text, err := json.Marshal(d)
	if err != nil {
		return d, err
	}
	err = c.db.PutTenantOptions(ctx, a.Tenant, text, meta.Durable)
	if errors.Is(err, syscall.ENOENT) {
		err = usagef("no tenant %q", a.Tenant)
	}
	return d, err
}
