package integration

import (
	"slices"
	"testing"
)

// Face is a door to the tree. Paths are absolute and slash-separated; errors say an errno (isErrno).
type Face interface {
	Name() string
	Put(path string, data []byte) error // makes or replaces a file, whole
	Get(path string) ([]byte, error)
	Remove(path string) error // a file or a whole tree
	Stat(path string) (Info, error)
}

// Info is what every door knows about a file.
type Info struct {
	Size int64
	Dir  bool
	ETag string // of the HTTP doors
}

// Treer is a face with directories.
type Treer interface {
	Mkdir(path string) error
	List(path string) ([]string, error) // names, sorted
	Move(old, new string, overwrite bool) error
}

// Copier is a face that copies on the server.
type Copier interface {
	Copy(old, new string, overwrite bool) error
}

// Inoder is a face that shows inodes.
type Inoder interface {
	Rmdir(path string) error
	Symlink(target, path string) error
	Readlink(path string) (string, error)
	Link(old, new string) error
	Append(path string, data []byte) error
	Truncate(path string, size int64) error
}

// verbs is the table of what each door can do. A script skips a line whose verb its door does not have; nothing else is skipped.
var verbs = map[string][]string{
	"core":  {"put", "get", "rm", "stat", "mkdir", "ls", "mv", "cp", "rmdir", "symlink", "readlink", "link", "append", "trunc"},
	"mount": {"put", "get", "rm", "stat", "mkdir", "ls", "mv", "rmdir", "symlink", "readlink", "link", "append", "trunc"},
	"dav":   {"put", "get", "rm", "stat", "mkdir", "ls", "mv", "cp"},
	"rest":  {"put", "get", "rm", "stat"},
}

func has(f Face, verb string) bool { return slices.Contains(verbs[f.Name()], verb) }

// TestVerbs keeps the table true: a door that loses a method, or gets one, shows here.
func TestVerbs(t *testing.T) {
	for _, f := range []Face{&coreFace{}, &mountFace{}, &davFace{}, &restFace{}} {
		_, tree := f.(Treer)
		_, copies := f.(Copier)
		_, inodes := f.(Inoder)
		for verb, want := range map[string]bool{"put": true, "mkdir": tree, "mv": tree, "cp": copies, "symlink": inodes, "trunc": inodes} {
			if got := has(f, verb); got != want {
				t.Errorf("%s has %s: %v, want %v", f.Name(), verb, got, want)
			}
		}
	}
}

// faces are the doors of a running server.
func (s *server) faces() []Face {
	list := []Face{&davFace{s}, &restFace{s: s}}
	if s.mnt != "" {
		list = append([]Face{&mountFace{s.mnt}}, list...)
	}
	return list
}

func (s *server) mount() *mountFace { return &mountFace{s.mnt} }
func (s *server) dav() *davFace     { return &davFace{s} }
func (s *server) rest() *restFace   { return &restFace{s: s} }
