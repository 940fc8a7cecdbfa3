package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSignalStorm lets a program work on the mount while a timer and another thread interrupt it a thousand times a second each, with handlers that do not
// restart system calls. No call ends with EINTR or half done. testdata/storm.c is the program.
func TestSignalStorm(t *testing.T) { signalStorm(t, 10, 300) }

// TestSoakSignalStorm is TestSignalStorm for a minute or so.
func TestSoakSignalStorm(t *testing.T) {
	needSoak(t)
	signalStorm(t, 500, 30_000)
}

func signalStorm(t *testing.T, rounds, signals int) {
	program := filepath.Join(tempDir(t), "storm")
	command(t, "", needTool(t, "gcc"), "-O1", "-Wall", "-pthread", "-o", program, "testdata/storm.c")
	for _, mode := range [][]string{nil, {"--no-passthrough"}} {
		t.Run(strings.Join(append([]string{"default"}, mode...), ""), func(t *testing.T) {
			s := startServer(t, withArgs(mode...))
			dir := s.mount().at("/storm")
			check(t, os.Mkdir(dir, 0o755))
			t.Log(command(t, "", program, dir, fmt.Sprint(rounds), fmt.Sprint(signals)))
		})
		if onS3() {
			return // there is no passthrough that could be switched off
		}
	}
}
