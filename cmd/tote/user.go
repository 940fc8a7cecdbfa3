package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"tote/fs"
)

func userCommand() *cli.Command {
	generate := &cli.BoolFlag{Name: "generate", Usage: "make a random password and print it"}
	tenant := &cli.StringFlag{Name: "tenant", Usage: "of `TENANT` (default: " + defaultTenant + ")"}
	role := &cli.StringSliceFlag{Name: "role", Usage: "give `ROLE`, may be repeated: " + strings.Join(roles, ", "), Value: cli.NewStringSlice(fs.RoleEditor)}
	return &cli.Command{
		Name:        "user",
		Usage:       "manage who may log in over HTTP",
		Description: "NAME is a name of --tenant, or tenant/name. Passwords are asked for, or read from standard input.",
		Subcommands: []*cli.Command{
			{Name: "add", Usage: "add a user", ArgsUsage: "NAME", Flags: []cli.Flag{dataFlag(), tenant, role, generate}, Action: userAdd},
			{Name: "passwd", Usage: "change a password", ArgsUsage: "NAME", Flags: []cli.Flag{dataFlag(), tenant, generate}, Action: userPasswd},
			{Name: "role", Usage: "replace a user's roles", ArgsUsage: "NAME ROLE...", Flags: []cli.Flag{dataFlag(), tenant}, Action: userRole},
			{Name: "rm", Usage: "remove a user", ArgsUsage: "NAME", Flags: []cli.Flag{dataFlag(), tenant}, Action: userRemove},
			{Name: "ls", Usage: "list users", ArgsUsage: "[TENANT]", Flags: []cli.Flag{dataFlag(), tenant, jsonFlag()}, Action: userList},
		},
	}
}

func userAdd(c *cli.Context) error {
	return changeUser(c, "user-add", 1, func(a *userArgs) error {
		a.Roles = c.StringSlice("role")
		if err := checkRoles(a.Roles); err != nil {
			return err
		}
		return hashNew(c, a)
	})
}

func userPasswd(c *cli.Context) error {
	return changeUser(c, "user-change", 1, func(a *userArgs) error { return hashNew(c, a) })
}

func userRole(c *cli.Context) error {
	return changeUser(c, "user-change", -1, func(a *userArgs) error {
		if a.Roles = c.Args().Tail(); len(a.Roles) == 0 {
			return usagef("usage: %s NAME ROLE...", c.Command.HelpName)
		}
		return checkRoles(a.Roles)
	})
}

func userRemove(c *cli.Context) error {
	return changeUser(c, "user-remove", 1, func(*userArgs) error { return nil })
}

// hashNew asks for a password and keeps its hash only.
func hashNew(c *cli.Context, a *userArgs) error {
	p, err := askPassword(c)
	if err != nil {
		return err
	}
	a.Hash, err = hashPassword(p)
	return err
}

// changeUser runs one of the commands that name a user first. The database is opened after everything was asked and checked.
func changeUser(c *cli.Context, command string, high int, fill func(*userArgs) error) error {
	if err := argCount(c, 1, high, c.Command.ArgsUsage); err != nil {
		return err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return err
	}
	var a userArgs
	if a.Tenant, a.Name, err = namedUser(c); err != nil {
		return err
	}
	if err := fill(&a); err != nil {
		return err
	}
	var u userInfo
	return ask(c, cfg, needsDB, command, a, &u, output{})
}

// namedUser reads the user that a command line is about.
func namedUser(c *cli.Context) (tenant, name string, err error) {
	given := c.Args().First()
	if t := c.String("tenant"); t != "" {
		if strings.Contains(given, "/") {
			return "", "", usagef("user %s names its tenant: leave out --tenant", given)
		}
		given = t + "/" + given
	}
	return splitUser(given)
}

func userList(c *cli.Context) error {
	if err := argCount(c, 0, 1, c.Command.ArgsUsage); err != nil {
		return err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return err
	}
	a := listUsersArgs{Tenant: cmp.Or(c.Args().First(), c.String("tenant"), defaultTenant)}
	if c.Args().Present() && c.IsSet("tenant") {
		return usagef("name the tenant once")
	}
	var list []userInfo
	if err := ask(c, cfg, needsDB, "user-list", a, &list, output{}); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, list)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 8, 2, ' ', 0)
	for _, u := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", u.Name, strings.Join(u.Roles, ","), u.Created.Local().Format("2006-01-02 15:04"))
	}
	return w.Flush()
}

// ask runs one command of the control table, wherever it can run.
func ask(c *cli.Context, cfg Config, n needs, command string, args, result any, out output) error {
	log := newLogger(c.App.ErrWriter, cfg.LogLevel, cfg.LogFormat)
	process()
	to, release, err := connect(c.Context, cfg, n, log)
	if err != nil {
		return err
	}
	return errors.Join(to.call(c.Context, command, args, result, out), release())
}
