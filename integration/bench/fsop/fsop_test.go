package fsop

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestBigFile(t *testing.T) {
	ctx, path, p := t.Context(), filepath.Join(t.TempDir(), "big"), NewPattern(1)
	const blocks = 3
	if _, err := Write(ctx, path, p, blocks); err != nil {
		t.Fatal(err)
	}
	if err := Check(ctx, path, p, blocks); err != nil {
		t.Fatal(err)
	}
	if _, n, err := Read(ctx, path); err != nil || n != blocks*Block {
		t.Fatalf("Read: %d bytes, %v", n, err)
	}
	if _, err := RandomRead(ctx, path, blocks*Block, 10); err != nil {
		t.Fatal(err)
	}
	if err := Check(ctx, path, NewPattern(2), blocks); err == nil {
		t.Error("Check took another pattern's file")
	}
	if err := Check(ctx, path, p, blocks+1); err == nil {
		t.Error("Check took a file that is too short")
	}
	if _, err := Edit(path, Block+Page); err != nil {
		t.Fatal(err)
	}
	if err := Check(ctx, path, p, blocks); err == nil {
		t.Error("Check did not see an edit")
	}
	if _, err := Write(ctx, path, p, 1); !errors.Is(err, os.ErrExist) {
		t.Errorf("Write over a file: %v", err)
	}
}

func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if _, err := Append(t.Context(), path, 3); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Size() != 3*Page {
		t.Fatalf("%v, %v", fi, err)
	}
}

func TestSmallFiles(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "d")
	const n, size = 20, 100
	if _, err := CreateMany(ctx, dir, n, size); err != nil {
		t.Fatal(err)
	}
	if _, err := StatMany(ctx, dir, n); err != nil {
		t.Error(err)
	}
	if _, err := ReadMany(ctx, dir, n, size); err != nil {
		t.Error(err)
	}
	if _, err := ReadMany(ctx, dir, n, size+1); err == nil {
		t.Error("ReadMany took files that are too short")
	}
	if _, err := StatMany(ctx, dir, n+1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("StatMany of a missing file: %v", err)
	}
	moved := dir + "2"
	if _, err := Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(moved); err != nil || len(list) != n {
		t.Errorf("%d files, %v", len(list), err)
	}
}

func TestCreateParallel(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "d")
	const n, size = 50, 100
	if _, err := CreateParallel(ctx, dir, n, size, 8); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMany(ctx, dir, n, size); err != nil {
		t.Error(err)
	}
	if _, err := CreateParallel(ctx, dir, 1, size, 8); !errors.Is(err, os.ErrExist) {
		t.Errorf("into a directory that is there: %v", err)
	}
}

func TestStopsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := Write(ctx, filepath.Join(dir, "big"), NewPattern(1), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Write: %v", err)
	}
	if _, err := CreateMany(ctx, filepath.Join(dir, "d"), 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("CreateMany: %v", err)
	}
	if _, err := Append(ctx, filepath.Join(dir, "log"), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Append: %v", err)
	}
}

// TestSpread does everything to names in two directories and looks at what is left.
func TestSpread(t *testing.T) {
	ctx, a, b := t.Context(), t.TempDir(), t.TempDir()
	d, err := OpenDirs([]string{a, b})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	files, moved := []Place{{0, "x"}, {1, "y"}}, []Place{{1, "x2"}, {1, "y2"}}
	for _, do := range []func() ([]time.Duration, error){
		func() ([]time.Duration, error) { return d.Create(ctx, files) },
		func() ([]time.Duration, error) { return d.Lookup(ctx, files) },
		func() ([]time.Duration, error) { return d.Stat(ctx, files) },
		func() ([]time.Duration, error) { return d.Rename(ctx, files, moved) },
		func() ([]time.Duration, error) { return d.Unlink(ctx, moved[:1]) },
	} {
		if _, err := do(); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]int{a: 0, b: 1} {
		if n, _, err := List(ctx, dir); n != want || err != nil {
			t.Errorf("%d names, %v, want %d", n, err, want)
		}
	}
	if _, err := d.Create(ctx, moved[1:]); !errors.Is(err, os.ErrExist) {
		t.Errorf("Create over a file: %v", err)
	}
	if _, err := OpenDirs([]string{a, a + "/none"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("OpenDirs of nothing: %v", err)
	}
}
