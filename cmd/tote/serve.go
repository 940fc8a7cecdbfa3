package main

import (
	"os"

	"github.com/urfave/cli/v2"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "serve a data directory until a signal comes",
		Description: "Serves the files of one data directory as WebDAV and REST on --listen and as a drive on --mount, in any combination.\n" +
			"The first start makes the user \"admin\" with a random password in DATA/admin-password, or takes the password from\n" +
			adminPasswordEnv + ". The first signal stops after running requests ended, the second one at once.",
		Flags: serveFlags(),
		Action: func(c *cli.Context) error {
			if err := argCount(c, 0, 0, "[flags]"); err != nil {
				return err
			}
			cfg, err := serveConfig(c)
			if err != nil {
				return err
			}
			os.Unsetenv(adminPasswordEnv) // not for the programs we start
			process()
			p := &Program{Config: cfg, Log: newLogger(c.App.ErrWriter, cfg.LogLevel, cfg.LogFormat), Stdout: c.App.Writer}
			return p.Run(c.Context)
		},
	}
}
