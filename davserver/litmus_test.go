package davserver

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// TestLitmus runs Debian's litmus, where it is installed, and wants no failure.
func TestLitmus(t *testing.T) {
	bin, err := exec.LookPath("litmus")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("litmus is not installed: apt-get install litmus")
		}
		t.Skip("litmus is not installed")
	}
	s := newShare(t)
	cmd := exec.CommandContext(t.Context(), bin, "-k", s.srv.URL+"/dav/", "user", "pass")
	cmd.Dir = t.TempDir() // it writes debug.log
	cmd.Env = append(os.Environ(), "TESTS=basic copymove props locks http")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("litmus: %v", err)
	}
	t.Logf("%s", out)
	if bad := regexp.MustCompile(`(?m)^.*(FAIL|WARNING).*$`).FindAllString(string(out), -1); bad != nil {
		t.Errorf("%q", bad)
	}
	if n := len(regexp.MustCompile(`100\.0%`).FindAllString(string(out), -1)); n != 5 {
		t.Errorf("%d of 5 suites passed in full", n)
	}
}
