// Davdir is the WebDAV server that the benchmark measures tote's against: golang.org/x/net/webdav over a plain directory, without
// login and without a flush to disk.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"golang.org/x/net/webdav"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: davdir ADDRESS DIR")
	}
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	log.Fatal(http.Serve(l, &webdav.Handler{
		Prefix:     "/dav",
		FileSystem: webdav.Dir(os.Args[2]),
		LockSystem: webdav.NewMemLS(),
	}))
}
