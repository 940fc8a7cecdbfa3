package meta

import "time"

// Ino numbers a node (file, directory, symlink or special file). It is st_ino on the mount and, as a decimal
// string, the id in the REST APIs. Numbers are never used twice.
type Ino uint64

// RootIno is the root directory of the first tenant. It equals FUSE_ROOT_ID so that the mount needs no translation.
const RootIno Ino = 1

// MaxName is the longest name of a directory entry in bytes (NAME_MAX).
const MaxName = 255

// Attr is a node without its name. Times are nanoseconds since 1970 UTC; Size is in bytes.
type Attr struct {
	Ino     Ino
	Tenant  int64
	Parent  Ino    // for a directory its parent; for others the directory of its newest link, 0 when unlinked
	Mode    uint32 // st_mode: type and permission bits
	Nlink   uint32
	UID     uint32
	GID     uint32
	Rdev    uint32
	Size    int64
	Atime   int64
	Mtime   int64
	Ctime   int64
	Btime   int64
	Version int64 // id of the current version; 0 when the file never had content
}

// Dirent is one entry of a directory with its node's attributes.
type Dirent struct {
	Name   string
	Cursor uint64 // pass to ReadDir to go on after this entry; never 0
	Attr   Attr
}

// State says where the bytes of a version are.
type State int

// The states of a version.
const (
	StateStaged State = 1 // in the staging directory under Version.Staging, to be adopted by the store
	StateStored State = 2 // in the object store under Version.Key
	StateRedo   State = 3 // in the object Redo.BaseKey, changed by a redo record
	StateGone   State = 4 // replaced; the row stays so that the name with its GUID still resolves
)

// Version is one content of a file.
type Version struct {
	ID      int64
	Ino     Ino
	GUID    string
	Key     string // object key, "" for a version without bytes of its own
	Size    int64
	State   State
	Staging string // file name in the staging directory, "" when stored
	Sum     string // "crc64nvme:<16 hex digits>", "" while not computed
	MD5     string // 32 hex digits, "" while not computed
	Created int64  // ns
	Synced  bool   // bytes and row were flushed to disk when the version was committed
	Firm    int64  // bytes from the start that a power loss can't take although it is not Synced
}

// Object is what is known of a version's object in a store that is not local, beside its key and size. The zero value is nothing.
type Object struct {
	ETag   string // the store's tag of these bytes
	Blocks []byte // CRC-32C of every MiB, 4 bytes each, big endian; nil: not known
	Sums   []byte // CRC-64/NVME of every MiB, 8 bytes each, big endian; nil: not known
}

// Redo is the record of an edit in place: after a crash its ranges are applied again to the object.
type Redo struct {
	Version Version
	BaseKey string // key that the object has until it is renamed to Version.Key
	Ranges  []byte // encoded by fs: ranges to write into the object, from Version.Staging or, where that is "", with their bytes
}

// Intent is an object to delete once Due has passed and no live version refers to Key.
type Intent struct {
	Key string
	Due int64 // ns
}

// Upload is a multipart upload that was begun. Done rows are kept as tombstones: aborting them must not delete what they published.
type Upload struct {
	ID      string
	Key     string
	Ino     Ino
	Started int64
	Done    bool
}

// User may log in over HTTP.
type User struct {
	Tenant  string
	Name    string
	Hash    string // password hash in its library's own encoding
	Roles   []string
	Created int64
	Updated int64
}

// Lock is a WebDAV lock (RFC 4918 section 6) on a path of a tenant.
type Lock struct {
	Token    string
	Tenant   int64
	Path     string // slash-separated, absolute, cleaned
	Infinite bool   // depth infinity, else depth 0
	Shared   bool
	Owner    string // XML of the owner element as the client gave it
	User     string
	Expires  time.Time
	Created  time.Time
}

// Change is one row of the change feed.
type Change struct {
	Seq    int64
	Time   int64
	Op     string // create, update, attr, delete, rename, link, props, leave (the old name of what a rename right after gives another)
	Ino    Ino
	Parent Ino
	Name   string
	Origin string // the face that made it
}

// Usage counts what a tenant holds.
type Usage struct {
	Files int64 // nodes with a name, directories included
	Bytes int64 // sum of the sizes of regular files
}

// Property is one property of a file. Space "" holds tote's own (objectKey, user, role, …) with a JSON value; any other space is an XML namespace
// of WebDAV dead properties with an XML value, or "c8y" for members of a managed object with a JSON value.
type Property struct {
	Space string
	Name  string
	Value string
}
