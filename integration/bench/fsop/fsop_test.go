package fsop

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
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
