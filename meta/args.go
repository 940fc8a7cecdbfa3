package meta

// Durability says how much a mutation waits for.
type Durability int

const (
	// Relaxed commits without a flush: it survives the death of the process, not of the machine.
	Relaxed Durability = iota
	// Durable returns only after the commit was flushed to disk. Waiting callers share one flush.
	Durable
)

// Tenant is one isolated tree of files.
type Tenant struct {
	ID   int64
	Name string
	Root Ino
}

// Link is one name of a node.
type Link struct {
	Parent Ino
	Name   string
}

// CreateArgs describes a new node.
type CreateArgs struct {
	Parent  Ino
	Name    string
	Mode    uint32 // type and permission bits
	UID     uint32
	GID     uint32
	Rdev    uint32
	Target  string // of a symlink
	Tmpfile bool   // no name: the node starts as an orphan of Parent's tenant (O_TMPFILE), Name is ignored
	Origin  string
	If      Precondition
}

// UnlinkArgs names an entry to remove, for Unlink and Rmdir.
type UnlinkArgs struct {
	Parent Ino
	Name   string
	Keep   func(Ino) bool   // true while the node is open: it stays as an orphan
	Check  func(Attr) error // may refuse, inside the transaction
	Origin string
}

// Removed is what Unlink, Rmdir and DropOrphan took away.
type Removed struct {
	Attr    Attr     // after the removal
	Orphan  bool     // the node stays without a name because it is open
	Staging []string // staging files that nothing refers to any more
}

// RemoveTreeArgs names a subtree to remove.
type RemoveTreeArgs struct {
	Parent Ino
	Name   string
	Keep   func(Ino) bool
	Check  func(root Attr) error
	Origin string
}

// RemovedTree is what RemoveTree took away.
type RemovedTree struct {
	Root    Attr
	Files   int64 // nodes that lost their last name, directories and the root included
	Staging []string
	Orphans []Ino // nodes that stay without a name because they are open
}

// LinkArgs describes a new name for an existing node.
type LinkArgs struct {
	Ino     Ino
	Parent  Ino
	Name    string
	Tmpfile bool // the node may be an orphan that never had a name
	Origin  string
}

// RenameFlags change what Rename does with an existing target.
type RenameFlags uint32

// The flags of Rename. At most one is set.
const (
	RenameNoReplace RenameFlags = 1 << iota // EEXIST when the target exists
	RenameExchange                          // swap both, ENOENT when the target is missing
	RenameTree                              // remove whatever is at the target, whole trees too
)

// RenameArgs describes a move.
type RenameArgs struct {
	OldParent Ino
	OldName   string
	NewParent Ino
	NewName   string
	Flags     RenameFlags
	Keep      func(Ino) bool
	Check     func(src Attr, dst *Attr) error // dst is nil when the target is free
	If        Precondition
	Origin    string
}

// Renamed is what Rename did.
type Renamed struct {
	Moved          Attr
	Replaced       *Attr // what was at the target; with RenameExchange the node that moved the other way
	ReplacedOrphan bool
	Staging        []string
	Orphans        []Ino
}

// SetAttr holds new attributes; nil keeps the old value.
type SetAttr struct {
	Mode  *uint32 // permission bits; the type is kept
	UID   *uint32
	GID   *uint32
	Size  *int64 // bookkeeping of a file with live staging
	Atime *int64
	Mtime *int64
	Ctime *int64 // nil: now
}

// PatchArgs changes properties and times of a node.
type PatchArgs struct {
	Ino         Ino
	Set, Remove []Property        // removing what is not there is fine
	Mtime       *int64            // nil keeps it
	Btime       *int64            // nil keeps it
	Check       func(*Attr) error // may refuse; nil: nothing does
	Origin      string            // the face
}

// TimeUpdate is one row of Touch.
type TimeUpdate struct {
	Ino   Ino
	Size  int64 // -1 keeps it
	Mtime int64 // 0 keeps it
}

// CommitArgs makes bytes the current version of a file.
type CommitArgs struct {
	Ino     Ino    // existing node; 0 means Parent and Name
	Parent  Ino    //
	Name    string //
	AltName string // used when Name is taken; EEXIST when it is taken as well. "" replaces what has Name
	Mode    uint32 // permission bits of a new node
	UID     uint32
	GID     uint32

	NoReplace   bool                  // EEXIST when the name is taken
	AllowOrphan bool                  // a node without a name is fine
	Expect      *int64                // the current version must be this one, else ESTALE
	Check       func(cur *Attr) error // nil Attr: the file will be created
	If          Precondition

	GUID    string
	Key     string
	Size    int64
	State   State
	Staging string
	Firm    int64 // bytes from the start that are on the disk
	Redo    *Redo // BaseKey and Ranges of a StateRedo version
	Object  Object
	Sum     string
	MD5     string
	Mtime   *int64 // nil: now
	Atime   *int64 // nil: kept, or now for a new node

	Props      []Property // set in the same transaction
	ClearProps []string   // spaces to empty before
	Drop       int64      // earlier version with this very staging file: its row is removed, not kept as gone
	Origin     string
}

// Committed is what Commit did.
type Committed struct {
	Attr    Attr
	Version Version
	Created bool
	Name    string   // name that was used, "" when committed by Ino
	Old     *Version // as it was before
	Staging []string // staging files that nothing refers to any more
}

// Stored reports that the bytes of a version arrived in the object store.
type Stored struct {
	ID     int64
	Key    string // the object: gets an intent when the version is gone by now
	Object Object
	Sum    string // "" keeps what is there
	MD5    string
	Synced bool
}

// XattrFlags restrict SetXattr.
type XattrFlags int

// The flags of SetXattr, with the values of setxattr(2).
const (
	XattrCreate  XattrFlags = 1 // EEXIST when it exists
	XattrReplace XattrFlags = 2 // ENODATA when it does not
)

// FileQuery selects regular files of a tenant.
type FileQuery struct {
	Tenant   int64
	After    Ino        // only numbers above
	Inos     []Ino      // only these, nil means any
	Props    []Property // all of these are set to exactly this value
	NameGlob string     // SQLite GLOB on the file's name, "" means any
	Offset   int
	Limit    int // 0: no limit
}

// FileRow is one file found by Files.
type FileRow struct {
	Attr    Attr
	Name    string
	Version Version // zero when the file never had content
}

// BSO is a binary stream object: a document of the REST API about one object key.
type BSO struct {
	Tenant    string
	ID        string
	Type      string
	ObjectKey string
	Ino       Ino // 0 while no bytes were uploaded
	Doc       []byte
	Created   int64
	Modified  int64
}

// Stats counts rows, for status pages and metrics.
type Stats struct {
	Nodes    int64
	Versions map[State]int64
	Intents  int64
	Uploads  int64 // not done
	Bytes    int64 // database file and write-ahead log
}
