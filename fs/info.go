package fs

import (
	"encoding/json"
	iofs "io/fs"
	"mime"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tote/meta"
)

// The vocabulary of the metadata core, for faces that may not import it.
type (
	// Ino numbers a node: st_ino on the mount, the decimal id in the REST APIs.
	Ino = meta.Ino
	// Attr is a node without its name; times are ns since 1970 UTC.
	Attr = meta.Attr
	// Dirent is one directory entry with its node's attributes.
	Dirent = meta.Dirent
	// Property is one property of a file: space, name and value.
	Property = meta.Property
	// Lock is a WebDAV lock.
	Lock = meta.Lock
	// Version is one content of a file.
	Version = meta.Version
)

// RootIno is the root directory of the first tenant.
const RootIno = meta.RootIno

// MaxName is the longest file name in bytes.
const MaxName = meta.MaxName

// Info is a node with the name and path it was found under. It implements io/fs.FileInfo.
type Info struct {
	name        string
	path        string
	attr        Attr
	contentType string // as given at upload; "" = by name
	digests     string // what SpaceDigests holds
}

var _ iofs.FileInfo = Info{}

// Name is the last component of the path, "/" for the root.
func (i Info) Name() string { return i.name }

// Path is the absolute path within the tenant, "" when the node was found by number.
func (i Info) Path() string { return i.path }

// Attr is the node's attributes.
func (i Info) Attr() Attr { return i.attr }

// Ino is the node's number.
func (i Info) Ino() Ino { return i.attr.Ino }

// Size is the length in bytes; 0 for directories.
func (i Info) Size() int64 {
	if i.IsDir() {
		return 0
	}
	return i.attr.Size
}

// ModTime is when the content last changed.
func (i Info) ModTime() time.Time { return time.Unix(0, i.attr.Mtime) }

// Created is when the node was made.
func (i Info) Created() time.Time { return time.Unix(0, i.attr.Btime) }

// IsDir tells whether the node is a directory.
func (i Info) IsDir() bool { return i.attr.Mode&syscall.S_IFMT == syscall.S_IFDIR }

// IsRegular tells whether the node is a plain file.
func (i Info) IsRegular() bool { return i.attr.Mode&syscall.S_IFMT == syscall.S_IFREG }

// IsSymlink tells whether the node is a symbolic link.
func (i Info) IsSymlink() bool { return i.attr.Mode&syscall.S_IFMT == syscall.S_IFLNK }

// Sys is the Attr.
func (i Info) Sys() any { return i.attr }

// Mode is the type and the permission bits in Go's form.
func (i Info) Mode() iofs.FileMode {
	m := iofs.FileMode(i.attr.Mode & 0o777)
	switch i.attr.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		m |= iofs.ModeDir
	case syscall.S_IFLNK:
		m |= iofs.ModeSymlink
	case syscall.S_IFIFO:
		m |= iofs.ModeNamedPipe
	case syscall.S_IFSOCK:
		m |= iofs.ModeSocket
	case syscall.S_IFBLK:
		m |= iofs.ModeDevice
	case syscall.S_IFCHR:
		m |= iofs.ModeDevice | iofs.ModeCharDevice
	}
	return m
}

// ETag is a strong validator (RFC 9110 section 8.8.3), quoted: it changes with every version and is the same on all faces.
// A directory's changes with its listing.
func (i Info) ETag() string {
	if i.IsDir() {
		return `"` + strconv.FormatUint(uint64(i.attr.Ino), 16) + "-d" + strconv.FormatInt(i.attr.Mtime, 16) + `"`
	}
	return `"` + strconv.FormatUint(uint64(i.attr.Ino), 16) + "-" + strconv.FormatInt(i.attr.Version, 16) + `"`
}

// ContentType is the type given at upload, else the one of the name's extension, else application/octet-stream. It never
// looks at the bytes.
func (i Info) ContentType() string {
	if i.contentType != "" {
		return i.contentType
	}
	if t := mime.TypeByExtension(path.Ext(i.name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// Names of tote's own properties (Property.Space ""); values are JSON.
const (
	PropObjectKey        = "objectKey"
	PropObjectID         = "objectId" // id of the binary stream object
	PropFullObjectPath   = "fullObjectPath"
	PropOriginalFileName = "originalFileName"
	PropUser             = "user"
	PropRole             = "role"
	PropOwnershipData    = "ownershipData"
	PropMediaAssetID     = "mediaAssetId"
	PropContentType      = "contentType"
)

// SpaceManaged is the property space of the members of a managed object.
const SpaceManaged = "c8y"

// SpaceDigests is the property space of the digests that clients sent with a file: one property of that name, whose value is the checksum of the
// bytes they are of, and then the digests. So those of bytes that were replaced are known for what they are.
const (
	SpaceDigests = "digests"
	propDigests  = "digests"
)

// DigestsOf gives the digests in a property of SpaceDigests if they are of the content with this checksum, else "".
func DigestsOf(p Property, sum string) string {
	of, digests, _ := strings.Cut(p.Value, " ")
	if p.Space != SpaceDigests || sum == "" || of != sum {
		return ""
	}
	return digests
}

// JSONString is the JSON text of a string, the form in which tote's own properties are kept.
func JSONString(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return `""`
	}
	return string(b)
}

// FromJSONString undoes JSONString; a value that is no JSON string is given back as it is.
func FromJSONString(v string) string {
	var s string
	if json.Unmarshal([]byte(v), &s) != nil {
		return v
	}
	return s
}
