package integration

import (
	"errors"
	"os"
	"path"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// restFace is a client of both REST APIs. They know files by number, so the path's number is asked of the mount; new files go to their path
// with a signed upload, reads take turns between the two ways there are.
type restFace struct {
	s     *server
	turns atomic.Int64
}

// Name implements Face.
func (r *restFace) Name() string { return "rest" }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func binaryURL(id string) string { return "/inventory/binaries/" + id }

// id finds a file's number.
func (r *restFace) id(path string) (string, error) {
	ino, err := r.s.mount().Ino(path)
	return strconv.FormatUint(ino, 10), err
}

// key finds the object key that the binary stream object service knows a file by: the property, which the mount shows too, else the number.
func (r *restFace) key(path, id string) (string, error) {
	buf := make([]byte, 2048)
	n, err := unix.Lgetxattr(r.s.mount().at(path), "user.tote.objectKey", buf)
	if errors.Is(err, unix.ENODATA) {
		return id, nil
	}
	return string(buf[:max(n, 0)]), err
}

// Put implements Face.
func (r *restFace) Put(p string, data []byte) error {
	ino, err := r.s.mount().Ino(p)
	if err == nil {
		return r.replace(strconv.FormatUint(ino, 10), data)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return r.upload(p, data)
}

func (r *restFace) replace(id string, data []byte) error {
	if data == nil {
		data = []byte{}
	}
	_, _, err := r.s.do("PUT", binaryURL(id), data, []int{201}, "Content-Type", "application/octet-stream")
	return err
}

// upload makes a new file with prepareUpload and a PUT to the signed URL.
func (r *restFace) upload(p string, data []byte) error {
	id := uuid.NewString()
	url, header, err := r.s.uploadURL(id, map[string]any{
		"objectKey": id + path.Ext(p), "fullObjectPath": strings.TrimPrefix(p, "/"), "originalFileName": path.Base(p),
	})
	if err != nil {
		return err
	}
	if data == nil {
		data = []byte{}
	}
	_, _, err = r.s.do("PUT", url, data, []int{201}, header...)
	return err
}

// Get implements Face.
func (r *restFace) Get(p string) ([]byte, error) {
	id, err := r.id(p)
	if err != nil {
		return nil, err
	}
	url := binaryURL(id)
	if r.turns.Add(1)%2 == 0 {
		key, err := r.key(p, id)
		if err != nil {
			return nil, err
		}
		if url, err = r.s.downloadURL(key); err != nil {
			return nil, err
		}
	}
	out, _, err := r.s.do("GET", url, nil, []int{200})
	return out, err
}

// Remove implements Face.
func (r *restFace) Remove(p string) error {
	id, err := r.id(p)
	if err != nil {
		return err
	}
	_, _, err = r.s.do("DELETE", binaryURL(id), nil, []int{204})
	return err
}

// Stat implements Face.
func (r *restFace) Stat(p string) (Info, error) {
	id, err := r.id(p)
	if err != nil {
		return Info{}, err
	}
	_, header, err := r.s.do("HEAD", binaryURL(id), nil, []int{200})
	if err != nil {
		return Info{}, err
	}
	n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	return Info{Size: n, ETag: header.Get("ETag")}, err
}
