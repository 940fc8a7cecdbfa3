package integration

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

var litmusSuites = []string{"basic", "copymove", "props", "locks", "http"}

// TestLitmus runs all suites of Debian's litmus over the real server and wants every test of each passed, without a warning.
func TestLitmus(t *testing.T) {
	litmus := needTool(t, "litmus")
	s := startServer(t)
	for _, suite := range litmusSuites {
		t.Run(suite, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), litmus, "-k", s.base+"/dav/", adminUser, adminPassword)
			cmd.Env = append(os.Environ(), "TESTS="+suite)
			cmd.Dir = t.TempDir() // it writes debug.log
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("litmus: %v\n%s", err, out)
			}
			if bad := regexp.MustCompile(`(?m)^.*(FAIL|WARNING|SKIPPED).*$`).FindAllString(string(out), -1); bad != nil {
				t.Errorf("%q", bad)
			}
			if !regexp.MustCompile(`(\d+) tests run: (\d+) passed, 0 failed\. 100\.0%`).Match(out) {
				t.Errorf("not in full:\n%s", out)
			}
		})
	}
	names, err := s.mount().List("/")
	check(t, err)
	if len(names) > 1 { // litmus leaves its own collection
		t.Errorf("litmus left %q", names)
	}
}
