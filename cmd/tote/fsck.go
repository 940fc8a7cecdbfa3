package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"tote/fs"
)

// fsckReport is what fsck prints as JSON.
type fsckReport struct {
	fs.FsckReport
	Found []string `json:"found"`
}

func fsckCommand() *cli.Command {
	return &cli.Command{
		Name:  "fsck",
		Usage: "check the database's invariants and that every object is there",
		Description: fmt.Sprintf("Changes nothing. Problems are printed one per line and make the exit code %d. --deep reads every object and\n"+
			"compares its checksum.", exitDamaged),
		Flags: []cli.Flag{
			dataFlag(), storeFlag(), jsonFlag(),
			&cli.BoolFlag{Name: "deep", Usage: "read every object and compare its checksum"},
		},
		Action: runFsck,
	}
}

func runFsck(c *cli.Context) error {
	if err := argCount(c, 0, 0, "[flags]"); err != nil {
		return err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return err
	}
	r := fsckReport{Found: []string{}}
	asJSON := c.Bool("json")
	bar := newMeter(c.App.ErrWriter)
	line := func(problem string) {
		r.Found = append(r.Found, problem)
		if !asJSON {
			bar.end()
			fmt.Fprintln(c.App.Writer, oneLine(problem))
		}
	}
	err = ask(c, cfg, needsCore, "fsck", fsckArgs{Deep: c.Bool("deep")}, &r.FsckReport, output{Line: line, Progress: bar.show})
	if bar.end(); err != nil {
		return err
	}
	if asJSON {
		err = printJSON(c.App.Writer, r)
	} else {
		fmt.Fprintf(c.App.Writer, "checked %d versions (%s), %d problems\n", r.Versions, size(r.Bytes), r.Problems)
	}
	if err == nil && r.Problems > 0 {
		err = failf(exitDamaged, "%s has %d problems", cfg.Data, r.Problems)
	}
	return err
}
