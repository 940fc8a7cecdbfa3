package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/urfave/cli/v2"

	"tote/fs"
	"tote/objstore/s3store"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "make files of objects that the store's bucket holds already",
		ArgsUsage: "s3://BUCKET/PREFIX [DIR]",
		Description: fmt.Sprintf("Copies nothing: from then on an object belongs to its file. The key behind PREFIX is the path below DIR, which is the root\n"+
			"by default, and stem@_@GUID.ext is shown as stem.ext. The command may be repeated, and goes on where it was interrupted.\n"+
			"Objects that can't be files are printed one per line and make the exit code %d.", exitDamaged),
		Flags: []cli.Flag{
			dataFlag(), storeFlag(), jsonFlag(),
			&cli.StringFlag{Name: "tenant", Value: defaultTenant, Usage: "make files of `TENANT`"},
		},
		Action: runImport,
	}
}

// adopted is what import and recover print as JSON.
type adopted struct {
	fs.ImportReport
	Problems []string `json:"problems"`
}

type importArgs struct {
	URL    string `json:"url"`
	Dir    string `json:"dir"`
	Tenant string `json:"tenant"`
}

func runImport(c *cli.Context) error {
	if err := argCount(c, 1, 2, c.Command.ArgsUsage); err != nil {
		return err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return err
	}
	a := importArgs{URL: c.Args().Get(0), Dir: c.Args().Get(1), Tenant: c.String("tenant")}
	r, err := adoptObjects(c, func(result any, out output) error { return ask(c, cfg, needsCore, "import", a, result, out) })
	if err != nil {
		return err
	}
	if r.Listed == 0 {
		return fmt.Errorf("there are no objects below %s", redactURL(a.URL))
	}
	return r.print(c, "imported")
}

// adoptObjects runs import or recover, showing how far it is and what can't become a file.
func adoptObjects(c *cli.Context, run func(result any, out output) error) (*adopted, error) {
	r := &adopted{Problems: []string{}}
	bar := newMeter(c.App.ErrWriter)
	err := run(&r.ImportReport, output{Progress: bar.show, Line: func(problem string) {
		r.Problems = append(r.Problems, problem)
		if !c.Bool("json") {
			bar.end()
			fmt.Fprintln(c.App.Writer, oneLine(problem))
		}
	}})
	bar.end()
	return r, err
}

// print reports the end.
func (r *adopted) print(c *cli.Context, done string) error {
	var err error
	if c.Bool("json") {
		err = printJSON(c.App.Writer, r)
	} else {
		fmt.Fprintf(c.App.Writer, "%s %d of %d objects (%s)%s\n", done, r.Adopted, r.Listed, size(r.Bytes), r.others())
	}
	if err == nil && len(r.Problems) > 0 {
		err = failf(exitDamaged, "%s can't be files", count(len(r.Problems), "object"))
	}
	return err
}

// others counts the objects that did not become files now.
func (r *adopted) others() string {
	text := ""
	for _, n := range []struct {
		why   string
		count int64
	}{{"files before", r.Known}, {"older versions", r.Older}, {"left alone", r.Skipped}} {
		if n.count > 0 {
			text += fmt.Sprintf("; %s: %d", n.why, n.count)
		}
	}
	return text
}

// importObjects is the command in the server, or in a process of its own.
func (c *control) importObjects(ctx context.Context, a importArgs, out output) (fs.ImportReport, error) {
	if err := c.checkTenant(ctx, a.Tenant); err != nil {
		return fs.ImportReport{}, err
	}
	prefix, err := keyPrefix(c.core.ref, a.URL)
	if err != nil {
		return fs.ImportReport{}, err
	}
	dir, err := fs.CleanPath("/" + a.Dir)
	if err != nil {
		return fs.ImportReport{}, usagef("directory %q: %w", a.Dir, err)
	}
	return c.core.fs.Import(ctx, fs.System(a.Tenant, "core"), fs.ImportOptions{
		Prefix: prefix, Dir: dir, Problem: out.line, Progress: func(r fs.ImportReport) { out.progress(adopting("importing", r)) },
	})
}

// adopting is how far an import or a recovery is. How many objects there are shows at the end only.
func adopting(what string, r fs.ImportReport) progress {
	return progress{What: what, Done: r.Listed}
}

// keyPrefix is what the keys of the objects below a URL begin with in a store. They have to be in its bucket: others could not be read.
func keyPrefix(ref storeRef, text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil {
		return "", usagef("%s: want s3://bucket/prefix", redactURL(text))
	}
	if !ref.remote() {
		return "", usagef("%s can't be imported: this data directory keeps its objects in files of this machine (%s)", redactURL(text), ref.text)
	}
	if u.Host != ref.s3.Bucket {
		return "", usagef("%s is not in bucket %q, where --store keeps its objects: only what is there can become files without being copied",
			redactURL(text), ref.s3.Bucket)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return "", usagef("%s: nothing may follow the prefix: the bucket is that of --store", redactURL(text))
	}
	prefix, base := withSlash(u.Path), withSlash(ref.s3.Prefix)
	if rest, ok := strings.CutPrefix(prefix, base); ok {
		return rest, nil
	}
	return s3store.BucketKeys + prefix, nil
}

// withSlash is a prefix as keys begin with it: without a slash at the front, with one at the end; "" stays.
func withSlash(prefix string) string {
	if prefix = strings.Trim(prefix, "/"); prefix == "" {
		return ""
	}
	return prefix + "/"
}
