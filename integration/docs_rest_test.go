package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// example is a block of shell in a document, with the output that is shown below it.
type example struct {
	line   int
	code   string
	output string // "" for none shown
}

// examplesOf finds the blocks of a document. Other blocks than sh show the output of the one before.
func examplesOf(t testing.TB, path string) (all []example) {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	var block []string
	kind := ""
	for i, line := range strings.Split(string(data), "\n") {
		switch {
		case kind == "" && strings.HasPrefix(line, "```"):
			kind, block = strings.TrimPrefix(line, "```"), nil
			if kind == "" {
				t.Fatalf("%s:%d: a block without a language", path, i+1)
			}
		case kind != "" && line == "```":
			text := strings.Join(block, "\n") + "\n"
			if kind == "sh" {
				all = append(all, example{line: i - len(block) + 1, code: text})
			} else {
				all[len(all)-1].output = text
			}
			kind = ""
		case kind != "":
			block = append(block, line)
		}
	}
	return all
}

// matches compares output with what is shown, in which … stands for anything up to the end of a line or what follows.
func (e example) matches(got string) bool {
	want := strings.ReplaceAll(regexp.QuoteMeta(e.output), "…", `[^\n]*`)
	return e.output == "" || regexp.MustCompile("^"+want+"$").MatchString(got)
}

// TestDocsREST runs the examples of docs/rest.md as they are printed, one after the other in one shell, in a directory with the server's data. Only the
// address is another one.
func TestDocsREST(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq"} {
		needTool(t, tool)
	}
	s := startServer(t)
	dir := tempDir(t)
	check(t, os.Symlink(s.data, filepath.Join(dir, "data")))
	check(t, os.WriteFile(filepath.Join(s.data, "admin-password"), []byte(adminPassword+"\n"), 0o600)) // this server was given it
	const printed = "127.0.0.1:7788"
	own := strings.TrimPrefix(s.base, "http://")
	examples := examplesOf(t, "../docs/rest.md")
	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	for i, e := range examples {
		fmt.Fprintf(&script, "echo 'line %d of rest.md' >&2\n{\n%s} >out.%d\n", e.line, strings.ReplaceAll(e.code, printed, own), i)
	}
	env := []string{"PATH=" + filepath.Dir(shared.tote) + ":" + os.Getenv("PATH")}
	log, err := tryWith(t.Context(), env, dir, "bash", "-c", script.String())
	if err != nil {
		t.Errorf("%v\n%s", err, tail(log, 2000))
	}
	for i, e := range examples {
		out, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out.%d", i)))
		if err != nil {
			t.Fatalf("line %d did not run: %v", e.line, err)
		}
		if got := strings.ReplaceAll(string(out), own, printed); !e.matches(got) {
			t.Errorf("the example of line %d prints\n%s\nwant\n%s", e.line, got, e.output)
		}
	}
}
