package integration

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// arrows says which packages of ours each package may import, and what it must not reach even through others.
var arrows = map[string]struct {
	ours  []string
	never []string
}{
	"objstore":                 {nil, []string{"net/http", "database/sql", "github.com/mattn/go-sqlite3"}},
	"objstore/blockcache":      {[]string{"objstore"}, []string{"net/http", "github.com/mattn/go-sqlite3"}},
	"objstore/filestore":       {[]string{"objstore"}, []string{"net/http", "github.com/mattn/go-sqlite3"}},
	"objstore/memstore":        {[]string{"objstore"}, []string{"net/http"}},
	"objstore/s3store":         {[]string{"objstore"}, []string{"github.com/mattn/go-sqlite3"}},
	"objstore/s3store/s3proxy": {nil, []string{"github.com/aws/aws-sdk-go-v2/service/s3"}},
	"objstore/s3store/s3test":  {nil, nil},
	"objstore/storetest":       {[]string{"objstore"}, nil},
	"meta":                     {nil, []string{"net/http", "github.com/hanwen/go-fuse/v2/fuse", "github.com/urfave/cli/v2"}},
	"fs":                       {[]string{"meta", "objstore"}, []string{"net/http", "github.com/hanwen/go-fuse/v2/fuse", "golang.org/x/net/webdav", "github.com/urfave/cli/v2"}},
	"fs/fusefs":                {[]string{"fs"}, []string{"net/http", "golang.org/x/net/webdav", "github.com/urfave/cli/v2"}},
	"davserver":                {[]string{"fs"}, []string{"github.com/hanwen/go-fuse/v2/fuse", "github.com/urfave/cli/v2"}},
	"restapi":                  {[]string{"fs"}, []string{"github.com/hanwen/go-fuse/v2/fuse", "golang.org/x/net/webdav", "github.com/urfave/cli/v2"}},
	"restapi/apidoc":           {nil, []string{"github.com/getkin/kin-openapi/openapi3"}},
	"cmd/tote":                 {[]string{"davserver", "fs", "fs/fusefs", "meta", "objstore", "objstore/blockcache", "objstore/filestore", "objstore/s3store", "restapi", "restapi/apidoc"}, nil},
}

// directly names modules that only some packages may import themselves.
var directly = map[string][]string{
	"github.com/mattn/go-sqlite3": {"meta"},
	"github.com/hanwen/go-fuse":   {"fs/fusefs"},
	"golang.org/x/net/webdav":     {"davserver"},
	"github.com/urfave/cli":       {"cmd/tote"},
	"database/sql":                {"meta"},
	"go.yaml.in/yaml":             {"restapi/apidoc"},
	"github.com/aws":              {"objstore/s3store", "objstore/s3store/s3test"},
}

// TestImports holds the arrows of docs/architecture.md: what each package imports by itself, and what it drags in.
func TestImports(t *testing.T) {
	for pkg, imports := range goList(t, "{{.ImportPath}} {{join .Imports \" \"}}", "tote/...") {
		name := strings.TrimPrefix(pkg, "tote/")
		if strings.HasPrefix(name, "integration") {
			continue
		}
		rule, ok := arrows[name]
		if !ok {
			t.Errorf("%s is not in the table of arrows", pkg)
			continue
		}
		for _, imp := range imports {
			if ours, ok := strings.CutPrefix(imp, "tote/"); ok && !slices.Contains(rule.ours, ours) {
				t.Errorf("%s imports %s", pkg, imp)
			}
			for module, who := range directly {
				if (imp == module || strings.HasPrefix(imp, module+"/")) && !slices.Contains(who, name) {
					t.Errorf("%s imports %s, which only %q may", pkg, imp, who)
				}
			}
		}
	}
	for name, rule := range arrows {
		reached := slices.Sorted(maps.Keys(goList(t, "{{.ImportPath}}", "-deps", "tote/"+name)))
		for _, never := range rule.never {
			if slices.Contains(reached, never) {
				t.Errorf("%s reaches %s", name, never)
			}
		}
	}
}

// TestNobodyImportsTests wants the tests to be at the top: nothing depends on them, and no program on what helps them.
func TestNobodyImportsTests(t *testing.T) {
	for pkg, imports := range goList(t, "{{.ImportPath}} {{join .Imports \" \"}} {{join .TestImports \" \"}}", "tote/...") {
		for _, imp := range imports {
			if path.Base(imp) == "integration" {
				t.Errorf("%s imports %s", pkg, imp)
			}
		}
	}
	for imp := range goList(t, "{{.ImportPath}}", "-deps", "tote/cmd/tote") {
		if slices.Contains([]string{"storetest", "s3test", "s3proxy"}, path.Base(imp)) {
			t.Errorf("the program reaches %s", imp)
		}
	}
}

// goList gives the first word of each line with the words behind it.
func goList(t testing.TB, format string, args ...string) map[string][]string {
	t.Helper()
	out := command(t, "..", "go", append([]string{"list", "-f", format}, args...)...)
	found := map[string][]string{}
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) > 0 {
			found[words[0]] = words[1:]
		}
	}
	return found
}
