package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of a command before its arguments, because urfave/cli stops looking for flags at the first argument and
// people write "tote user passwd admin --data DIR". Everything behind "--" stays as it is.
func flagsFirst(commands []*cli.Command, args []string) []string {
	for i, a := range args {
		if i == 0 {
			continue
		}
		at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(a) })
		if at < 0 {
			return args
		}
		if c := commands[at]; len(c.Subcommands) > 0 {
			commands = c.Subcommands
			continue
		}
		return append(slices.Clone(args[:i+1]), reorder(commands[at], args[i+1:])...)
	}
	return args
}

// reorder puts the flags of c and their values first.
func reorder(c *cli.Command, args []string) []string {
	var flags, rest []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return slices.Concat(flags, args[i:i+1], rest, args[i+1:])
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			rest = append(rest, a)
			continue
		}
		flags = append(flags, a)
		if takesValue(c, a) && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return append(flags, rest...)
}

// takesValue tells whether the next argument belongs to the flag. Unknown flags fail later anyway.
func takesValue(c *cli.Command, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range c.Flags {
		if _, isBool := f.(*cli.BoolFlag); slices.Contains(f.Names(), name) {
			return !isBool
		}
	}
	return false
}

// argCount refuses a wrong number of arguments; high < 0 means any.
func argCount(c *cli.Context, low, high int, names string) error {
	n := c.Args().Len()
	if n < low || high >= 0 && n > high {
		return usagef("usage: %s", strings.TrimSpace(c.Command.HelpName+" "+names))
	}
	return nil
}
