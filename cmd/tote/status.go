package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"tote/fs"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show what a data directory holds and whether a server runs on it",
		Flags: []cli.Flag{dataFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := argCount(c, 0, 0, "[flags]"); err != nil {
				return err
			}
			cfg, err := commandConfig(c)
			if err != nil {
				return err
			}
			var r statusReport
			if err := ask(c, cfg, needsDB, "status", struct{}{}, &r, output{}); err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, r)
			}
			return printStatus(c.App.Writer, &r, time.Now())
		},
	}
}

func printStatus(out io.Writer, r *statusReport, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("data", "%s", r.Data)
	row("store", "%s", r.Store.URL)
	if len(r.Store.Can) > 0 {
		row("store can", "%s", strings.Join(r.Store.Can, ", "))
	}
	if r.Cache != nil {
		row("cache", "%s", r.Cache)
	}
	if r.Running {
		row("server", "process %d, version %s, up %v, %s of memory", r.PID, r.Version, now.Sub(*r.Started).Round(time.Second), size(int64(r.Memory)))
		row("listen", "%s", orNone(r.Listen))
		row("mount", "%s", orNone(r.Mount))
		row("open files", "%d, %d closed ones on their way to the store", r.Open, r.Staged)
	} else {
		row("server", "not running")
	}
	for _, t := range r.Tenants {
		row("tenant "+t.Name, "%d files and directories, %s", t.Files, size(t.Bytes))
	}
	row("versions", "%d stored, %d staged, %d replaced", r.Versions["stored"], r.Versions["staged"]+r.Versions["redo"], r.Versions["replaced"])
	row("to delete", "%d objects", r.Deletions)
	row("uploads", "%d open", r.Uploads)
	printWaiting(row, r.Waiting)
	row("database", "%s", size(r.Database))
	return w.Flush()
}

// printWaiting lists the files that are on their way to a remote store.
func printWaiting(row func(name, format string, args ...any), list []fs.Transfer) {
	if len(list) == 0 {
		return
	}
	var bytes, sent int64
	for _, t := range list {
		bytes, sent = bytes+t.Size, sent+t.Sent
	}
	row("waiting", "%s, %s of %s uploaded", count(len(list), "file"), size(sent), size(bytes))
	for _, t := range list[:min(len(list), maxListed)] {
		row("", "%s", transferLine(t))
	}
	if more := len(list) - maxListed; more > 0 {
		row("", "and %d more", more)
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// size writes bytes for people.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1024, 0
	for f >= 1024 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[unit])
}
