// Loopback is the mount that the benchmark measures tote's against: go-fuse's own loopback file system, with the kernel doing reads
// and writes where it can. What it costs is what FUSE costs on this machine.
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	timeout  = time.Minute
	maxWrite = 1 << 20
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: loopback MOUNTPOINT DIR")
	}
	syscall.Umask(0) // the kernel has applied the umask of whoever creates a file
	server, err := mount(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for range stop {
			if err := server.Unmount(); err != nil {
				log.Print(err)
			}
		}
	}()
	fmt.Println("ready")
	server.Wait()
}

func mount(dir, below string) (*fuse.Server, error) {
	root, err := fs.NewLoopbackRoot(below)
	if err != nil {
		return nil, err
	}
	d := timeout
	return fs.Mount(dir, root, &fs.Options{
		AttrTimeout:     &d,
		EntryTimeout:    &d,
		NullPermissions: true,
		MountOptions: fuse.MountOptions{
			FsName:            below,
			Name:              "loopback",
			MaxWrite:          maxWrite,
			DirectMountStrict: true,
			DirectMountFlags:  syscall.MS_NOSUID | syscall.MS_NODEV,
			Options:           []string{"default_permissions"},
		},
	})
}
