package main

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// newApp lists the commands. Each is built by the file of its name.
func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                      "tote",
		Usage:                     "one object store as a mounted drive, a WebDAV share and REST APIs",
		Version:                   buildVersion().String(),
		HideVersion:               true,
		Reader:                    stdin,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {}, // run decides how to exit
		OnUsageError:              plainUsageError,
		Action:                    noSuchCommand,
		Commands: []*cli.Command{
			serveCommand(),
			umountCommand(),
			userCommand(),
			clientCommand(),
			lockCommand(),
			tenantGroup(),
			statusCommand(),
			gcCommand(),
			fsckCommand(),
			importCommand(),
			recoverCommand(),
			versionCommand(),
		},
	}
	finish(app.Commands)
	return app
}

// finish gives every command what all share: short usage errors, and errors of the action that are not usage errors.
func finish(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = plainUsageError
		if c.Action != nil {
			c.Action = coded(c.Action)
		} else {
			c.Action = noSuchCommand
		}
		finish(c.Subcommands)
	}
}

// coded marks errors of an action as failures, so that those of urfave/cli itself can be told apart.
func coded(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error { return withCode(exitFailed, action(c)) }
}

// plainUsageError keeps urfave/cli from printing the whole help below a mistyped flag.
func plainUsageError(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		text = "unknown flag -" + name
	}
	return usagef("%s; see %s --help", text, c.Command.HelpName)
}

// noSuchCommand answers the name of a group of commands without one of them, or with a wrong one.
func noSuchCommand(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("no command %q; see %s --help", c.Args().First(), c.Command.HelpName)
	}
	if c.Command.HelpName == c.App.Name {
		return cli.ShowAppHelp(c)
	}
	return cli.ShowSubcommandHelp(c)
}
