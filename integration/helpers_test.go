package integration

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func wantBytes(t testing.TB, who string, got []byte, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("%s reads %.100q, want %.100q", who, got, want)
	}
}

func wantGet(t testing.TB, f Face, path, want string) {
	t.Helper()
	got, err := f.Get(path)
	if err != nil {
		t.Errorf("get %s through %s: %v", path, f.Name(), err)
		return
	}
	wantBytes(t, f.Name(), got, want)
}

// wantContent is wantGet for contents that nobody wants to see in full.
func wantContent(t testing.TB, f Face, path string, want []byte) {
	t.Helper()
	if got, err := f.Get(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("get %s through %s: %v, %s", path, f.Name(), err, difference(got, want))
	}
}

// readHalf fills buf, which is the first half of want.
func readHalf(t testing.TB, r io.Reader, buf, want []byte) {
	t.Helper()
	_, err := io.ReadFull(r, buf)
	check(t, err)
	if !bytes.Equal(buf, want[:len(buf)]) {
		t.Fatal("the first half is wrong")
	}
}

// keepsVersion reads the rest of a reader that is 1 MiB into content. The mount may say ESTALE instead.
func keepsVersion(t testing.TB, who string, r io.Reader, content []byte) {
	t.Helper()
	got, err := io.ReadAll(r)
	if errors.Is(err, syscall.ESTALE) && who == "mount" {
		return
	}
	if err != nil || !bytes.Equal(got, content[1<<20:]) {
		t.Errorf("%s: an open reader does not keep its version: %v, %s", who, err, difference(append(content[:1<<20:1<<20], got...), content))
	}
}

// tree describes everything below dir: type, mode, size and content. Times are left out.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	found, err := lookAt(dir)
	check(t, err)
	return found
}

func lookAt(dir string) (map[string]string, error) {
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found[rel], err = describe(path, d)
		return err
	})
	return found, err
}

func describe(path string, d fs.DirEntry) (string, error) {
	fi, err := d.Info()
	if err != nil {
		return "", err
	}
	switch {
	case fi.Mode().IsRegular():
		sum, err := fileSum(path)
		return fmt.Sprintf("%v %d %s", fi.Mode(), fi.Size(), sum), err
	case fi.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return "link to " + target, err
	}
	return fi.Mode().String(), nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return readSum(f)
}

func readSum(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// sameTree compares two descriptions and names what differs.
func sameTree(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	if diff := differences(got, want); len(diff) > 0 {
		t.Errorf("%s: %d differences\n  %s", what, len(diff), strings.Join(diff[:min(len(diff), 10)], "\n  "))
	}
}

func differences(got, want map[string]string) (diff []string) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			diff = append(diff, fmt.Sprintf("%s: %q, want %q", name, got[name], want[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			diff = append(diff, name+" is new: "+got[name])
		}
	}
	return diff
}
