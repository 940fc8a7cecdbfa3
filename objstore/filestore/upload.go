package filestore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"syscall"
	"time"

	"tote/objstore"
)

const (
	manifestName = "manifest" // JSON of manifest
	doneName     = "done"     // JSON of tombstone
	finalName    = "final"    // the joined parts

	idBytes = 16
)

// manifest says what an upload directory is for.
type manifest struct {
	Key     string    `json:"key"`
	Started time.Time `json:"started"`
}

// upload is one directory below .uploads. It has no state but that directory, so that any number of upload
// values may stand for it. A part is the file named by its number; its tag is made of the file's size and time,
// so that replacing a part is one rename.
type upload struct {
	s   *Store
	key string
	id  string
	loc location
}

// NewUpload makes the upload's directory and manifest.
func (s *Store) NewUpload(ctx context.Context, key string) (objstore.Upload, error) {
	loc, err := locate(key)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var id [idBytes]byte
	rand.Read(id[:])
	u := &upload{s: s, key: key, id: hex.EncodeToString(id[:]), loc: loc}
	if err := u.begin(); err != nil {
		return nil, fail("begin upload of", key, errors.Join(err, s.root.RemoveAll(u.path(""))))
	}
	return u, nil
}

func (u *upload) begin() error {
	// The id goes into the caller's database and has to be known after power loss, too.
	err := u.s.in(uploadsDir, false, func(all *dir) error {
		if err := all.mkdir(u.id); err != nil {
			return err
		}
		return all.sync()
	})
	if err != nil {
		return err
	}
	return u.in(func(d *dir) error {
		return u.s.writeJSON(d, manifestName, manifest{Key: u.key, Started: time.Now()})
	})
}

func isID(s string) bool { return len(s) == 2*idBytes && isHex(s) }

// path is the path of a file of the upload below the root.
func (u *upload) path(name string) string { return path.Join(uploadsDir, u.id, name) }

// in runs fn in the upload's directory; ErrNotFound when that is gone. The directory stays out of the cache
// because it is not for long.
func (u *upload) in(fn func(*dir) error) error {
	return u.s.in(uploadsDir, false, func(all *dir) error {
		d, err := all.child(u.id, false)
		if err != nil {
			return notFound(err)
		}
		defer d.close()
		return fn(d)
	})
}

// ID is 32 hex digits.
func (u *upload) ID() string { return u.id }

// Key is the key Complete will publish.
func (u *upload) Key() string { return u.key }

// Part writes a part from a reader.
func (u *upload) Part(ctx context.Context, number int, r io.Reader, size int64) (objstore.Part, error) {
	return u.part(ctx, number, func(d *dir, tmp string) (objstore.Info, error) {
		return u.s.write(ctx, d, tmp, r, size)
	})
}

// CopyPart copies a part inside the kernel, by reflink where the file system can.
func (u *upload) CopyPart(ctx context.Context, number int, srcKey string, off, n int64) (objstore.Part, error) {
	src, size, err := u.s.openObject(ctx, srcKey)
	if err != nil {
		return objstore.Part{}, fail("copy a part from", srcKey, err)
	}
	defer src.Close()
	if n, err = objstore.CheckRange(size, off, n); err != nil {
		return objstore.Part{}, fail("copy a part from", srcKey, err)
	}
	return u.part(ctx, number, func(d *dir, tmp string) (objstore.Info, error) {
		return u.s.create(d, tmp, func(f *os.File) error {
			if _, err := src.Seek(off, io.SeekStart); err != nil {
				return err
			}
			return copyFile(ctx, f, src, n)
		})
	})
}

// part lets fill make a temporary file and renames it to its number.
func (u *upload) part(ctx context.Context, number int, fill func(*dir, string) (objstore.Info, error)) (objstore.Part, error) {
	var info objstore.Info
	err := objstore.CheckNumber(number)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = u.in(func(d *dir) error {
			tmp := rand.Text()
			var err error
			if info, err = fill(d, tmp); err == nil {
				err = u.accept(d, tmp, number)
			}
			if err != nil {
				_ = d.remove(tmp) // Complete, Abort and Sweep would, too
			}
			if errors.Is(err, syscall.ENOENT) {
				return u.whyGone(err)
			}
			return err
		})
	}
	if err != nil {
		return objstore.Part{}, fail(fmt.Sprintf("write part %d of", number), u.key, err)
	}
	return objstore.Part{Number: number, Size: info.Size, ETag: info.ETag}, nil
}

// accept makes a written file the part of its number, unless the upload ended meanwhile. The name is not
// flushed: a part that is lost with it is an unknown part to Complete.
func (u *upload) accept(d *dir, tmp string, number int) error {
	defer u.s.ids.lock(u.id)()
	if err := notCompleted(d); err != nil {
		return err
	}
	return d.rename(tmp, d, partName(number))
}

// whyGone turns the error of a part that lost its file into ErrNotFound if that is because the upload ended,
// which may be just happening.
func (u *upload) whyGone(err error) error {
	defer u.s.ids.lock(u.id)()
	if ended := u.in(notCompleted); ended != nil {
		return ended
	}
	return err
}

func notCompleted(d *dir) error {
	if _, err := d.stat(doneName); err == nil {
		return fmt.Errorf("%w: the upload is completed", objstore.ErrNotFound)
	}
	return nil
}

func partName(number int) string { return fmt.Sprintf("%05d", number) }

// ResumeUpload looks an upload up by its directory.
func (s *Store) ResumeUpload(ctx context.Context, key, id string) (objstore.Upload, error) {
	loc, err := locate(key)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u := &upload{s: s, key: key, id: id, loc: loc}
	known, err := u.manifest()
	if err == nil && known.Key != key {
		err = objstore.ErrNotFound
	}
	if err != nil {
		return nil, fail("resume upload of", key, err)
	}
	return u, nil
}

// manifest reads what the upload is for.
func (u *upload) manifest() (m manifest, err error) {
	if !isID(u.id) {
		return m, objstore.ErrNotFound
	}
	err = u.in(func(d *dir) error { return readJSON(d, manifestName, &m) })
	return m, notFound(err)
}

// Uploads reads the manifests of all open uploads.
func (s *Store) Uploads(ctx context.Context) iter.Seq2[objstore.UploadInfo, error] {
	return func(yield func(objstore.UploadInfo, error) bool) {
		err := s.eachUpload(ctx, func(u *upload) error {
			m, err := u.manifest()
			if err == nil {
				err = u.in(u.isOpen)
			}
			if errors.Is(err, objstore.ErrNotFound) {
				return nil
			}
			if err == nil && !yield(objstore.UploadInfo{Key: m.Key, ID: u.id, Started: m.Started}, nil) {
				err = errStop
			}
			return err
		})
		if err != nil && err != errStop {
			yield(objstore.UploadInfo{}, fail("list uploads of", s.path, err))
		}
	}
}

// isOpen is ErrNotFound when the upload has published its object.
func (u *upload) isOpen(d *dir) error {
	t, err := readTombstone(d)
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = d.stat(t.Source)
	return notFound(err)
}

// eachUpload calls fn for every upload directory, with nothing but the id set.
func (s *Store) eachUpload(ctx context.Context, fn func(*upload) error) error {
	return s.in(uploadsDir, false, func(d *dir) error {
		f, err := d.reader(s.path)
		if err != nil {
			return err
		}
		defer f.Close()
		return readEntries(ctx, f, func(e fs.DirEntry) error {
			if !e.IsDir() || !isID(e.Name()) {
				return nil
			}
			return fn(&upload{s: s, id: e.Name()})
		})
	})
}

// writeJSON writes a small file whole or not at all, on disk with its name.
func (s *Store) writeJSON(d *dir, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp := rand.Text()
	_, err = s.create(d, tmp, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
	if err == nil {
		err = d.rename(tmp, d, name)
	}
	if err != nil {
		_ = d.remove(tmp) // Sweep would, too
		return err
	}
	return d.sync()
}

func readJSON(d *dir, name string, v any) error {
	f, err := d.file(name)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// copyChunk bounds what is copied between two looks at the context; a multiple of every block size, so that
// reflinks stay possible.
const copyChunk = 64 << 20

// copyFile appends exactly n bytes of src to dst.
func copyFile(ctx context.Context, dst, src *os.File, n int64) error {
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		// ReadFrom of a limited file is copy_file_range, with fall-backs.
		m, err := dst.ReadFrom(io.LimitReader(src, min(n, copyChunk)))
		if err != nil {
			return err
		}
		if m == 0 {
			return io.ErrUnexpectedEOF
		}
		n -= m
	}
	return nil
}
