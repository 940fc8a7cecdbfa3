package metafill

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/google/uuid"

	"tote/meta"
)

// Sizes of a tree: files of one directory, and of one group of directories.
const (
	DirFiles   = 1000
	groupDirs  = 10
	GroupFiles = groupDirs * DirFiles
)

const (
	fileMode = 0o644
	dirMode  = syscall.S_IFDIR | 0o755
	fileSize = 4096
	tenant   = "rdp"
	keep     = 1000 // rows of the change feed, as after the server's own tidying
)

// Tree is the directory with all groups, below the root of the tenant.
const Tree = "tree"

// Wide is the directory that [FillWide] makes.
const Wide = "wide"

// Dir is the path of the i-th directory with files, seen from the root.
func Dir(i int) string {
	return fmt.Sprintf("%s/%s/%s", Tree, groupName(i/groupDirs), dirName(i%groupDirs))
}

// Name is the name of the i-th file of a directory.
func Name(i int) string { return fmt.Sprintf("image-%06d.png", i) }

func groupName(i int) string { return fmt.Sprintf("g%04d", i) }
func dirName(i int) string   { return fmt.Sprintf("d%d", i) }

// Fill makes a tree of n files, a multiple of [GroupFiles], in the database at path.
func Fill(ctx context.Context, path string, n int) error {
	return open(ctx, path, func(f *filler) error {
		template, err := f.group()
		if err != nil {
			return err
		}
		tree, err := f.mkdir(f.root, Tree)
		if err != nil {
			return err
		}
		for i := range n / GroupFiles {
			if err := f.copyGroup(template, tree, groupName(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// FillWide makes one directory with n empty files.
func FillWide(ctx context.Context, path string, n int) error {
	return open(ctx, path, func(f *filler) error {
		dir, err := f.mkdir(f.root, Wide)
		if err != nil {
			return err
		}
		for i := range n {
			if _, err := f.create(dir, Name(i), syscall.S_IFREG|fileMode); err != nil {
				return err
			}
		}
		return nil
	})
}

// filler writes to an open database.
type filler struct {
	ctx  context.Context
	db   *meta.DB
	root meta.Ino
}

func open(ctx context.Context, path string, fill func(*filler) error) (err error) {
	db, err := meta.Open(ctx, path, meta.Options{NoSync: true, Cache: 1 << 30})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	t, err := db.TenantByName(ctx, tenant)
	if err != nil {
		return err
	}
	if err := fill(&filler{ctx: ctx, db: db, root: t.Root}); err != nil {
		return err
	}
	return db.TrimChanges(ctx, keep, meta.Relaxed)
}

func (f *filler) mkdir(parent meta.Ino, name string) (meta.Ino, error) {
	return f.create(parent, name, dirMode)
}

func (f *filler) create(parent meta.Ino, name string, mode uint32) (meta.Ino, error) {
	a, err := f.db.Create(f.ctx, meta.CreateArgs{Parent: parent, Name: name, Mode: mode}, meta.Relaxed)
	return a.Ino, err
}

// group makes the group that is copied.
func (f *filler) group() (meta.Ino, error) {
	group, err := f.mkdir(f.root, "template")
	if err != nil {
		return 0, err
	}
	for d := range groupDirs {
		dir, err := f.mkdir(group, dirName(d))
		if err != nil {
			return 0, err
		}
		for i := range DirFiles {
			if err := f.commit(dir, Name(i)); err != nil {
				return 0, err
			}
		}
	}
	return group, nil
}

// commit makes a file as a PUT does.
func (f *filler) commit(dir meta.Ino, name string) error {
	guid, err := uuid.NewV7()
	if err != nil {
		return err
	}
	_, err = f.db.Commit(f.ctx, meta.CommitArgs{
		Parent: dir, Name: name, Mode: fileMode, State: meta.StateStored, GUID: guid.String(), Size: fileSize,
		Key: tenant + "/binarystreamobject/assets/image@_@" + guid.String() + ".png", Sum: "crc64nvme:0123456789abcdef",
	}, meta.Relaxed)
	return err
}

func (f *filler) copyGroup(from, tree meta.Ino, name string) error {
	guid, err := uuid.NewV7()
	if err != nil {
		return err
	}
	_, err = f.db.CopyTree(f.ctx, meta.CopyTreeArgs{
		From: from, Deep: true, Parent: tree, Name: name, GUID: guid.String(), FileMode: fileMode, DirMode: dirMode &^ syscall.S_IFMT,
		Shareable: func(meta.Ino) bool { return true }, Keep: func(meta.Ino) bool { return false },
	}, meta.Relaxed)
	return err
}
