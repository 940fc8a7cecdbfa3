package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// stressExceptions are the stressors of stress-ng's class "filesystem" that are not run, each with the reason.
var stressExceptions = map[string]string{
	"bind-mount": "mounts / in other name spaces, and touches no file here; as root it refuses to run",
	"binderfs":   "mounts a file system of its own",
	"verity":     "is skipped by itself: no FUSE file system has it",
}

// TestStress runs a few stressors of stress-ng with a small number of operations and lets them verify what they find.
func TestStress(t *testing.T) {
	s := startServer(t)
	for stressor, ops := range map[string]int{"rename": 300, "utime": 200, "fstat": 20, "getdent": 20, "copy-file": 2, "chmod": 20, "lockofd": 100} {
		stress(t, s, "--"+stressor, "1", "--"+stressor+"-ops", fmt.Sprint(ops))
	}
}

// stress runs stress-ng on the mount. What it reports as a failure is one.
func stress(t *testing.T, s *server, args ...string) {
	t.Helper()
	dir, err := os.MkdirTemp(s.mnt, "stress")
	check(t, err)
	args = append(args, "--temp-path", dir, "--verify", "--fallocate-bytes", "16m", "--hdd-bytes", "16m", "--iomix-bytes", "16m")
	out, err := tryCommand(t.Context(), "", needTool(t, "stress-ng"), args...)
	if failed := regexp.MustCompile("(?m)^.* (fail|error): .*$").FindAllString(out, 5); err != nil || failed != nil {
		t.Errorf("stress-ng %s: %v\n%s", strings.Join(args, " "), err, strings.Join(failed, "\n"))
	}
	check(t, os.RemoveAll(dir))
}

// TestSoakStress runs the whole class for ten minutes, one after the other, and then all at once for one more. fanotify is not among those: it keeps
// files open that inotify waits for to go, on any file system.
func TestSoakStress(t *testing.T) {
	length := min(needSoak(t), 10*time.Minute)
	s := startServer(t)
	list := strings.Fields(strings.SplitN(command(t, "", needTool(t, "stress-ng"), "--class", "filesystem?"), ":", 2)[1])
	list = slices.DeleteFunc(list, func(name string) bool { return stressExceptions[name] != "" })
	each := fmt.Sprint(max(1, int(length.Seconds())/len(list)))
	for _, name := range list {
		stress(t, s, "--"+name, "2", "-t", each)
		s.alive(t, name)
	}
	var all []string
	for _, name := range list {
		if name != "fanotify" {
			all = append(all, "--"+name, "1")
		}
	}
	stress(t, s, append(all, "-t", "60")...)
	s.checkMemory()
}

// alive wants the mount to work.
func (s *server) alive(t *testing.T, after string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.mnt, "alive"), []byte(after), 0o644); err != nil {
		t.Fatalf("after %s: %v", after, err)
	}
	wantGet(t, s.dav(), "/alive", after)
}
