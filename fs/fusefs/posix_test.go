package fusefs

import (
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"
)

// impossible is a test of the suite that no Linux file system passes: it wants the fcntl locks of one process to conflict with each other. The
// suite's own run leaves it out as well. TestLocks has what it means to check.
const impossible = "FcntlFlockLocksFile"

// TestPosix runs go-fuse's own conformance suite over the mount.
func TestPosix(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
			if name == impossible {
				continue
			}
			t.Run(name, func(t *testing.T) {
				dir := c.path(name)
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				posixtest.All[name](t, dir)
				if err := os.RemoveAll(dir); err != nil {
					t.Error(err)
				}
			})
		}
	})
}
