package fusefs

import (
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// Options configure a mount. Zero values take the defaults named here.
type Options struct {
	Tenant string // whose tree is mounted; "rdp"

	// Actor makes the actor of a request from the uid and gid of the calling process. The default is an actor of Tenant whose rights the
	// kernel has checked. Actors are kept and shared between requests of the same caller.
	Actor func(uid, gid uint32) *fs.Actor

	// Source is what df and mount show as the source of the mount, any text; "tote".
	Source string

	AllowOther bool // let users other than the mounting one in
	ReadOnly   bool

	AttrTimeout     time.Duration // how long the kernel may keep attributes; 1 h, negative: not at all
	EntryTimeout    time.Duration // and names; 1 h
	NegativeTimeout time.Duration // and the absence of a name; 10 s

	MaxWrite      int  // largest read or write request in bytes; 1 MiB
	NoPassthrough bool // every byte goes through this process
	NoXattrs      bool // no extended attributes at all

	Debug  bool // log every request
	Logger *slog.Logger
}

// origin is the name of the mount in change events.
const origin = "mount"

const (
	defaultTimeout  = time.Hour
	defaultNegative = 10 * time.Second
	defaultMaxWrite = 1 << 20

	// maxBackground is how many read-aheads and the like the kernel may have in flight. Its default of 12 leaves a disk idle.
	maxBackground = 64

	// maxInflight bounds the bytes of all requests being served; beyond it requests wait in the kernel.
	maxInflight = 64 << 20
)

func (o Options) withDefaults() Options {
	if o.Tenant == "" {
		o.Tenant = "rdp"
	}
	if o.Source == "" {
		o.Source = "tote"
	}
	if o.Actor == nil {
		o.Actor = o.kernelActor
	}
	o.AttrTimeout = orDefault(o.AttrTimeout, defaultTimeout)
	o.EntryTimeout = orDefault(o.EntryTimeout, defaultTimeout)
	o.NegativeTimeout = orDefault(o.NegativeTimeout, defaultNegative)
	if o.MaxWrite <= 0 {
		o.MaxWrite = defaultMaxWrite
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// orDefault reads a timeout: zero is the default, negative is none.
func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return max(d, 0)
}

// kernelActor stands for a process whose permissions the kernel has checked.
func (o Options) kernelActor(uid, gid uint32) *fs.Actor {
	return &fs.Actor{Tenant: o.Tenant, UID: uid, GID: gid, Mount: true, Origin: origin}
}

// passthrough tells whether to try it: the kernel lets only root hand it files.
func (o Options) passthrough() bool { return !o.NoPassthrough && os.Geteuid() == 0 }

// fuseOptions says how go-fuse shall mount and what to agree on with the kernel.
func (o Options) fuseOptions(onPanic func(any) fuse.Status) *fuse.MountOptions {
	level := slog.LevelDebug
	if o.Debug {
		level = slog.LevelInfo
	}
	mo := &fuse.MountOptions{
		FsName:                  o.Source, // go-fuse escapes it where fusermount3 splits options
		Name:                    "tote",
		AllowOther:              o.AllowOther,
		Options:                 []string{"default_permissions"},
		MaxWrite:                o.MaxWrite,
		MaxBackground:           maxBackground,
		MaxInflightRequestBytes: maxInflight,
		DisableXAttrs:           o.NoXattrs,
		Debug:                   o.Debug,
		Logger:                  slog.NewLogLogger(o.Logger.Handler(), level),
		PanicHandler:            onPanic,
		EnableSymlinkCaching:    true, // a target never changes
		DisableSplice:           true, // Read answers with memory, for which go-fuse would fill a pipe only to empty it again
		ExtraCapabilities: fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_READDIRPLUS_AUTO | fuse.CAP_HANDLE_KILLPRIV_V2 |
			fuse.CAP_DIRECT_IO_ALLOW_MMAP | fuse.CAP_ASYNC_DIO | fuse.CAP_EXPORT_SUPPORT,
	}
	if !o.passthrough() {
		mo.DisabledCapabilities = fuse.CAP_PASSTHROUGH
	}
	// Reading does not mark the time of access, and programs that look at the mount are told.
	if os.Geteuid() == 0 {
		mo.DirectMountStrict = true
		mo.DirectMountFlags = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOATIME
		if o.ReadOnly {
			mo.DirectMountFlags |= syscall.MS_RDONLY
		}
		return mo
	}
	mo.Options = append(mo.Options, "noatime") // fusermount3 knows it as an option
	if o.ReadOnly {
		mo.Options = append(mo.Options, "ro")
	}
	return mo
}
