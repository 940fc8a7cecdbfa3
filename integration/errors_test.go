package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tote/fs"
)

// errnoTables are the tables in which the faces translate what the core returns. They are not exported, so they are read from the source.
var errnoTables = map[string]string{
	"../fs/fusefs/errno.go":    "statuses",
	"../davserver/status.go":   "statuses",
	"../restapi/c8y_error.go":  "c8yErrnos",
	"../restapi/bso_error.go":  "bsoErrnos",
	"../restapi/blob_error.go": "blobErrnos",
}

// TestErrnoTables walks every errno of the core through the table of each face: none may be left to the default.
func TestErrnoTables(t *testing.T) {
	for file, name := range errnoTables {
		has := tableKeys(t, file, name)
		for _, n := range fs.Errnos {
			if !has[unix.ErrnoName(n)] && !(n == syscall.ENOTSUP && has["ENOTSUP"]) {
				t.Errorf("%s: %s has no row for %s", file, name, unix.ErrnoName(n))
			}
		}
	}
}

// TestErrnosAreListed wants every errno that the core or the database names in its code to be in fs.Errnos, by which the tables are tested.
func TestErrnosAreListed(t *testing.T) {
	listed := map[string]bool{"EINTR": true, "EWOULDBLOCK": true, "EOPNOTSUPP": true} // asked for, never returned, or other names
	for _, n := range fs.Errnos {
		listed[unix.ErrnoName(n)] = true
	}
	listed["ENOTSUP"] = true
	for _, dir := range []string{"../fs", "../meta"} {
		used := errnosIn(t, dir)
		for _, name := range slices.Sorted(maps.Keys(used)) {
			if !listed[name] {
				t.Errorf("%s: %s is not in fs.Errnos", used[name], name)
			}
		}
	}
}

// tableKeys reads the keys of a map literal.
func tableKeys(t *testing.T, file, name string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	check(t, err)
	keys := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || v.Names[0].Name != name || len(v.Values) != 1 {
			return true
		}
		for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
			if sel, ok := e.(*ast.KeyValueExpr).Key.(*ast.SelectorExpr); ok {
				keys[sel.Sel.Name] = true
			}
		}
		return false
	})
	if len(keys) == 0 {
		t.Errorf("%s has no table %s", file, name)
	}
	return keys
}

// errnosIn finds the errnos that the program's files in a directory name, and where.
func errnosIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	check(t, err)
	used := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		check(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if ok && (x.Name == "syscall" || x.Name == "unix") && errnoNamed(sel.Sel.Name) != 0 {
				used[sel.Sel.Name] = file
			}
			return true
		})
	}
	return used
}
