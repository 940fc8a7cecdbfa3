package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestDataDirIsPrivate(t *testing.T) {
	t.Run("made", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a", "data")
		d, err := openDataDir(path, true)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for name, want := range map[string]os.FileMode{"": 0o700, lockFile: 0o600, dbFile: 0o600} {
			if got := mode(t, d.file(name)); got != want {
				t.Errorf("mode of %q is %#o, want %#o", name, got, want)
			}
		}
	})
	t.Run("empty one is closed to others", func(t *testing.T) {
		path := t.TempDir()
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		d, err := openDataDir(path, true)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if got := mode(t, path); got != 0o700 {
			t.Errorf("mode is %#o", got)
		}
	})
}

func TestDataDirRefusesWhatIsLoose(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(path string) error
		says  string
	}{
		{"directory", func(p string) error { return os.Chmod(p, 0o750) }, "run chmod 700"},
		{"password", func(p string) error {
			name := filepath.Join(p, passwordFile)
			return errors.Join(os.WriteFile(name, nil, 0o600), os.Chmod(name, 0o644))
		}, "run chmod 600"},
		{"database", func(p string) error { return os.Chmod(filepath.Join(p, dbFile), 0o640) }, "run chmod 600"},
		{"password is a symlink", func(p string) error { return os.Symlink("/etc/passwd", filepath.Join(p, passwordFile)) }, "not a regular file"},
		{"lock is a symlink", func(p string) error {
			return errors.Join(os.Remove(filepath.Join(p, lockFile)), os.Symlink("/etc/passwd", filepath.Join(p, lockFile)))
		}, "too many levels of symbolic links"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data")
			if err := must(openDataDir(path, true)).Close(); err != nil {
				t.Fatal(err)
			}
			if err := tt.spoil(path); err != nil {
				t.Fatal(err)
			}
			d, err := openDataDir(path, true)
			if err == nil {
				d.Close()
				t.Fatal("was accepted")
			}
			wantError(t, err, tt.says)
		})
	}
}

func TestDataDirRefusesForeignFiles(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := openDataDir(path, true)
	wantError(t, err, "holds other files")
	if names, _ := os.ReadDir(path); len(names) != 1 {
		t.Errorf("something was created: %v", names)
	}
}

func TestLockNamesItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	d, err := openDataDir(path, true)
	if err != nil {
		t.Fatal(err)
	}
	_, err = openDataDir(path, true)
	wantError(t, err, "data directory "+path+" is in use", "process "+strconv.Itoa(os.Getpid()))
	if code := exitCode(err, &buffer{}); code != exitInUse {
		t.Errorf("exit code %d", code)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d, err = openDataDir(path, true)
	if err != nil {
		t.Fatalf("the lock outlives its holder: %v", err)
	}
	d.Close()
}
