package fusefs

import (
	"context"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// What this package promises to go-fuse and to its own parts, checked by the compiler. mount embeds no default implementation, so a
// request that a later go-fuse adds is noticed here and not answered with ENOSYS.
var (
	_ fuse.RawFileSystem = (*mount)(nil)

	_ view      = (*fs.Handle)(nil)
	_ registrar = (*fuse.Server)(nil)
	_ notifier  = (*fuse.Server)(nil)

	_ interface {
		Wait()
		Unmount(context.Context) error
	} = (*Server)(nil)
)
