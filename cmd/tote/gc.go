package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"tote/fs"
)

func gcCommand() *cli.Command {
	return &cli.Command{
		Name:  "gc",
		Usage: "delete objects that no file refers to any more",
		Description: "A running server deletes what is due every few minutes, and looks for orphans twice a day. Replaced\n" +
			"objects stay for a grace time, because open readers may use them; --now does not wait for it.",
		Flags: []cli.Flag{
			dataFlag(), storeFlag(), jsonFlag(),
			&cli.BoolFlag{Name: "now", Usage: "ignore the grace time"},
		},
		Action: func(c *cli.Context) error {
			if err := argCount(c, 0, 0, "[flags]"); err != nil {
				return err
			}
			cfg, err := commandConfig(c)
			if err != nil {
				return err
			}
			var r fs.GCReport
			if err := ask(c, cfg, needsCore, "gc", gcArgs{Now: c.Bool("now")}, &r, output{}); err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			fmt.Fprintf(c.App.Writer, "deleted %d objects and %d orphans (%s), %d abandoned uploads\n", r.Objects, r.Orphans, size(r.Bytes), r.Uploads)
			return nil
		},
	}
}
