package davop

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Get reads a file with curl and drops the bytes. It returns how long that took and how many they were.
func (c *Client) Get(ctx context.Context, path string) (time.Duration, int64, error) {
	return c.curl(ctx, "%{size_download}", path, "--output", "/dev/null")
}

// Put writes a local file to the server with curl, and returns how long that took and how many bytes went out.
func (c *Client) Put(ctx context.Context, path, local string) (time.Duration, int64, error) {
	return c.curl(ctx, "%{size_upload}", path, "--output", "/dev/null", "--upload-file", local)
}

// curl runs one transfer. The login goes through the standard input: arguments are for everybody to see.
func (c *Client) curl(ctx context.Context, size, path string, args ...string) (time.Duration, int64, error) {
	args = append([]string{"--silent", "--show-error", "--fail", "--config", "-",
		"--write-out", "%{time_total} " + size}, args...)
	cmd := exec.CommandContext(ctx, "curl", append(args, c.url(path))...)
	if c.user != "" {
		cmd.Stdin = strings.NewReader(fmt.Sprintf("user = %q\n", c.user+":"+c.password))
	}
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("curl %s: %w: %s", path, err, strings.TrimSpace(problems.String()))
	}
	return parseCurl(string(out))
}

// parseCurl reads "seconds bytes".
func parseCurl(out string) (time.Duration, int64, error) {
	seconds, bytes, _ := strings.Cut(strings.TrimSpace(out), " ")
	s, err1 := strconv.ParseFloat(seconds, 64)
	n, err2 := strconv.ParseInt(bytes, 10, 64)
	if err1 != nil || err2 != nil || s <= 0 {
		return 0, 0, fmt.Errorf("unexpected answer of curl: %q", out)
	}
	return time.Duration(s * float64(time.Second)), n, nil
}
