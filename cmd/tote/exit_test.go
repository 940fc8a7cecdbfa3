package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestExitCode(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
	}{
		{nil, exitOK},
		{errors.New("from the flag parser"), exitUsage},
		{withCode(exitFailed, errors.New("x")), exitFailed},
		{withCode(exitFailed, usagef("x")), exitUsage},
		{fmt.Errorf("around: %w", failf(exitBusy, "x")), exitBusy},
		{errors.Join(failf(exitMount, "x"), errors.New("y")), exitMount},
	} {
		if got := exitCode(tt.err, &buffer{}); got != tt.code {
			t.Errorf("%v: got %d, want %d", tt.err, got, tt.code)
		}
	}
}

func TestCause(t *testing.T) {
	_, err := os.Open("/nonexistent")
	if got := cause(err).Error(); got != "no such file or directory" {
		t.Errorf("got %q", got)
	}
	if !errors.Is(cause(err), fs.ErrNotExist) {
		t.Error("the errno is lost")
	}
}

// wantError fails the test unless err says all of texts.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}
