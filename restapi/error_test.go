package restapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"syscall"
	"testing"

	"tote/fs"
)

func TestErrors_EveryErrnoHasAnAnswer(t *testing.T) {
	for _, n := range fs.Errnos {
		if _, ok := c8yErrnos[n]; !ok {
			t.Errorf("inventory: %v", n)
		}
		if _, ok := bsoErrnos[n]; !ok {
			t.Errorf("binary stream objects: %v", n)
		}
		if _, ok := blobErrnos[n]; !ok {
			t.Errorf("blobs: %v", n)
		}
		err := fmt.Errorf("outer: %w", &fs.Error{Op: "x", Path: "/secret/path", Errno: n, Err: errors.New("secret cause")})
		for _, p := range []struct {
			status int
			text   string
		}{
			{c8yProblemOf(err).status, c8yProblemOf(err).code + c8yProblemOf(err).message},
			{blobProblemOf(err).status, blobProblemOf(err).code + blobProblemOf(err).message},
		} {
			if p.status < 400 || p.status > 599 || p.text == "" {
				t.Errorf("%v: %+v", n, p)
			}
		}
		if p := bsoProblemOf(err, false); p.status != http.StatusOK || p.code == "" || p.message == "" {
			t.Errorf("%v: %+v", n, p)
		}
	}
}

func TestErrors_Special(t *testing.T) {
	for _, c := range []struct {
		err       error
		c8y, blob int
		bso       string
	}{
		{fs.ErrPrecondition, 412, 412, "E0002"},
		{&fs.Error{Errno: fs.Errno(fs.ErrLocked), Err: fs.ErrLocked}, 423, 412, "E0002"},
		{errTooLarge, 413, 413, "AE001"},
		{errCut, 400, 400, "AE001"},
		{errSyntax, 400, 500, "AE001"},
		{errors.New("unknown"), 500, 500, "E0002"},
	} {
		if got := c8yProblemOf(c.err).status; got != c.c8y {
			t.Errorf("inventory %v: %d", c.err, got)
		}
		if got := blobProblemOf(c.err).status; got != c.blob {
			t.Errorf("blob %v: %d", c.err, got)
		}
		if got := bsoProblemOf(c.err, false).code; got != c.bso {
			t.Errorf("bso %v: %s", c.err, got)
		}
	}
	if got := bsoProblemOf(errors.New("x"), true).code; got != "E0001" {
		t.Errorf("reading fails with %s", got)
	}
}

func TestAttachment(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt": `attachment; filename="a.txt"`, "a b": `attachment; filename="a b"`, `q"x`: `attachment; filename="q_x"; filename*=UTF-8''q%22x`,
		"x\r\nSet-Cookie: a": `attachment; filename="x__Set-Cookie: a"; filename*=UTF-8''x%0D%0ASet-Cookie%3A%20a`, "é": `attachment; filename="_"; filename*=UTF-8''%C3%A9`,
		"\xff": `attachment; filename="_"; filename*=UTF-8''_`, "50%": `attachment; filename="50_"; filename*=UTF-8''50%25`,
	} {
		if got := attachment(name); got != want {
			t.Errorf("attachment(%q) is %s", name, got)
		}
	}
	if got := shortAttachment("a b"); got != `attachment; filename="a b"` {
		t.Error(got)
	}
}

// Only what an administrator has to look at is an error in the log.
func TestFailureLevel(t *testing.T) {
	for errno, want := range map[syscall.Errno]slog.Level{
		syscall.EIO: slog.LevelError, syscall.ETIMEDOUT: slog.LevelError, syscall.EMFILE: slog.LevelError, syscall.ECANCELED: slog.LevelError,
		syscall.ENOSPC: slog.LevelWarn, syscall.EDQUOT: slog.LevelWarn,
		syscall.EEXIST: slog.LevelInfo, syscall.EBUSY: slog.LevelInfo, syscall.ENOTSUP: slog.LevelInfo,
	} {
		if got := failureLevel(&fs.Error{Errno: errno}); got != want {
			t.Errorf("%v: %v, want %v", errno, got, want)
		}
	}
	if got := failureLevel(errors.New("never heard of")); got != slog.LevelError {
		t.Errorf("an unknown error: %v", got)
	}
}
