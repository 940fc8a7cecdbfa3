package integration

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// crasherKind is one kind of load.
type crasherKind struct {
	name  string
	root  string // "/" + name when empty
	setup func(*crasher) error
	step  func(*crasher) error
}

// crasherKinds are the ways in which the crash tests change files.
func crasherKinds(t testing.TB) []crasherKind {
	source := filepath.Join(tempDir(t), "source")
	check(t, os.WriteFile(source, randomBytes(3<<20, 77), 0o600))
	return []crasherKind{
		{name: "create", step: stepCreate},
		{name: "replace", step: stepReplace},
		{name: "copy", step: func(w *crasher) error { return stepCopy(w, source) }},
		{name: "rename", step: stepRename},
		{name: "edit", setup: setupEdit, step: stepEdit},
		{name: "dav", step: stepDAV},
		{name: "rest", root: "/inventory", step: stepREST},
		{name: "blob", step: stepBlob},
	}
}

// stepCreate makes a file on the mount and syncs it. The name is there as soon as it was made.
func stepCreate(w *crasher) error {
	p, data := w.fresh(), w.data(100_000)
	return w.op(func() error { return syncedFile(w.s.mount().at(p), data, os.O_EXCL) }, w.state.with(p, nil), w.state.with(p, data))
}

// syncedFile writes a file and syncs it before it closes it.
func syncedFile(name string, data []byte, flag int) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|flag, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// stepReplace does what careful programs do: write beside, sync, rename over.
func stepReplace(w *crasher) error {
	p, tmp, data := fmt.Sprintf("%s/f%d", w.root, w.rnd.IntN(10)), w.root+"/tmp", w.data(50_000)
	m := w.s.mount()
	return w.op(func() error {
		if err := syncedFile(m.at(tmp), data, os.O_TRUNC); err != nil {
			return err
		}
		return os.Rename(m.at(tmp), m.at(p))
	}, w.state.with(tmp, nil), w.state.with(tmp, data), w.state.without(tmp).with(p, data))
}

// stepCopy lets cp(1) copy a file that takes many writes, without any sync.
func stepCopy(w *crasher, source string) error {
	if len(w.state) > 30 {
		return removeSome(w)
	}
	p := w.fresh()
	data, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return w.op(func() error {
		out, err := exec.Command("cp", source, w.s.mount().at(p)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}, w.state.with(p, nil), w.state.with(p, data))
}

func removeSome(w *crasher) error {
	p := w.some()
	return w.op(func() error { return os.Remove(w.s.mount().at(p)) }, w.state.without(p))
}

// stepRename changes names only: files and directories are made, moved and removed.
func stepRename(w *crasher) error {
	m, p := w.s.mount(), w.fresh()
	old := w.some()
	switch n := w.rnd.IntN(10); {
	case old == "" || n < 3:
		data := w.data(5000)
		return w.op(func() error { return writeFile(m.at(p), data) }, w.state.with(p, nil), w.state.with(p, data))
	case n == 3:
		return w.op(func() error { return os.Remove(m.at(old)) }, w.state.without(old))
	case n == 4:
		after := w.state.with(p, nil)
		after[p] = "dir"
		return w.op(func() error { return m.Mkdir(p) }, after)
	default:
		for dir, kind := range w.state {
			if kind == "dir" && path.Dir(old) == w.root && w.rnd.IntN(2) == 0 {
				p = dir + "/" + path.Base(p)
				break
			}
		}
		return w.op(func() error { return os.Rename(m.at(old), m.at(p)) }, w.state.moved(old, p))
	}
}

const editSize, editBlock = 4 << 20, 4 << 10

// setupEdit makes the file that stepEdit edits.
func setupEdit(w *crasher) error {
	w.content = randomBytes(editSize, 5)
	p := w.root + "/edited"
	return w.op(func() error { return writeFile(w.s.mount().at(p), w.content) }, w.state.with(p, w.content))
}

// stepEdit changes three blocks of a larger file in place and syncs. What was written and not synced may be there or not, in the order in
// which it was written, as on any local file system when another process than the writer dies.
func stepEdit(w *crasher) error {
	p := w.root + "/edited"
	if err := w.reread(p); err != nil {
		return err
	}
	after := bytes.Clone(w.content)
	var states []state
	var at []int64
	for range 3 {
		off := int64(w.rnd.IntN(editSize/editBlock)) * editBlock
		copy(after[off:], randomBytes(editBlock, w.rnd.Uint64()))
		at = append(at, off)
		states = append(states, w.state.with(p, after))
	}
	err := w.op(func() error { return editFile(w.s.mount().at(p), after, at) }, states...)
	if err == nil {
		w.content = after
	}
	return err
}

// reread reads the file that is edited when the last edit was cut off.
func (w *crasher) reread(p string) error {
	if mark(w.content) == w.state[p] {
		return nil
	}
	b, err := w.s.mount().Get(p)
	if err == nil {
		w.content = b
	}
	return err
}

func editFile(name string, content []byte, at []int64) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	for _, off := range at {
		if _, werr := f.WriteAt(content[off:off+editBlock], off); err == nil {
			err = werr
		}
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// stepDAV puts, moves, copies and deletes over WebDAV.
func stepDAV(w *crasher) error {
	d, p, old := w.s.dav(), w.fresh(), w.some()
	data := w.data(200_000)
	switch n := w.rnd.IntN(10); {
	case old == "" || n < 4:
		return w.op(func() error { return d.Put(p, data) }, w.state.with(p, data))
	case n < 6:
		return w.op(func() error { return d.Put(old, data) }, w.state.with(old, data))
	case n < 8:
		return w.op(func() error { return d.Move(old, p, true) }, w.state.moved(old, p))
	case n == 8:
		after := w.state.with(p, nil)
		after[p] = w.state[old]
		return w.op(func() error { return d.Copy(old, p, false) }, after)
	default:
		return w.op(func() error { return d.Remove(old) }, w.state.without(old))
	}
}

// stepREST posts, replaces and deletes inventory binaries.
func stepREST(w *crasher) error {
	old, data := w.some(), w.data(200_000)
	switch n := w.rnd.IntN(10); {
	case old == "" || n < 5:
		p := w.fresh()
		return w.op(func() error { _, err := w.s.postBinary(path.Base(p), data, n%2 == 0); return err }, w.state.with(p, data))
	case n < 8:
		return w.op(func() error { return w.s.rest().Put(old, data) }, w.state.with(old, data))
	default:
		return w.op(func() error { return w.s.rest().Remove(old) }, w.state.without(old))
	}
}

// stepBlob uploads to signed URLs.
func stepBlob(w *crasher) error {
	p, data := w.fresh(), w.data(200_000)
	return w.op(func() error { return w.s.rest().upload(p, data) }, w.state.with(p, data))
}

// postBinary uploads a file as a form, with the parts in either order, and returns its id.
func (s *server) postBinary(name string, data []byte, objectFirst bool) (id string, err error) {
	body, kind, err := binaryForm(name, data, objectFirst)
	if err != nil {
		return "", err
	}
	_, header, err := s.do("POST", "/inventory/binaries", body, []int{201}, "Content-Type", kind)
	if err != nil {
		return "", err
	}
	return path.Base(header.Get("Location")), nil
}

// binaryForm is the body of a form upload and its content type.
func binaryForm(name string, data []byte, objectFirst bool) ([]byte, string, error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	object := func() error { return form.WriteField("object", fmt.Sprintf(`{"name":%q}`, name)) }
	file := func() error {
		part, err := form.CreateFormFile("file", name)
		if err == nil {
			_, err = part.Write(data)
		}
		return err
	}
	parts := []func() error{file, object}
	if objectFirst {
		parts = []func() error{object, file}
	}
	for _, p := range parts {
		if err := p(); err != nil {
			return nil, "", err
		}
	}
	err := form.Close()
	return b.Bytes(), strings.ReplaceAll(form.FormDataContentType(), "\n", ""), err
}
