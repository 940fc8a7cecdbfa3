// Webdav-go works on the share with the Go module gowebdav. It ends with 0 when all is as expected.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/studio-b12/gowebdav"
)

func main() {
	log.SetFlags(0)
	c := gowebdav.NewClient(os.Getenv("TOTE_URL")+"/dav", os.Getenv("TOTE_USER"), os.Getenv("TOTE_PASSWORD"))
	must(c.Connect())
	files(c)
	streams(c)
	tree(c)
}

func must(err error) {
	if err != nil {
		log.Panic(err)
	}
}

func want(got, want any) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		log.Panicf("got %v, want %v", got, want)
	}
}

func read(c *gowebdav.Client, path string) string {
	b, err := c.Read(path)
	must(err)
	return string(b)
}

func files(c *gowebdav.Client) {
	must(c.MkdirAll("/go/sub dir", 0))
	must(c.Write("/go/a.txt", []byte("hello\n"), 0))
	must(c.Write("/go/a.txt", []byte("hello\nmore\n"), 0))
	want(read(c, "/go/a.txt"), "hello\nmore\n")
	fi, err := c.Stat("/go/a.txt")
	must(err)
	want([]any{fi.Name(), fi.Size(), fi.IsDir()}, []any{"a.txt", 11, false})
	_, err = c.Stat("/go/none")
	want(gowebdav.IsErrNotFound(err), true)
}

func streams(c *gowebdav.Client) {
	must(c.WriteStream("/go/new dir/stream", strings.NewReader(strings.Repeat("0123456789", 1<<18)), 0)) // makes the directory, too
	r, err := c.ReadStreamRange("/go/new dir/stream", 1<<20, 10)
	must(err)
	defer r.Close()
	part, err := io.ReadAll(r)
	must(err)
	want(string(part), "6789012345")
	must(c.RemoveAll("/go/new dir"))
}

func tree(c *gowebdav.Client) {
	must(c.Rename("/go/a.txt", "/go/sub dir/ü b.txt", false))
	must(c.Copy("/go/sub dir/ü b.txt", "/go/sub dir/copy.txt", false))
	want(c.Copy("/go/sub dir/ü b.txt", "/go/sub dir/copy.txt", false) == nil, false)
	list, err := c.ReadDir("/go/sub dir")
	must(err)
	var names []string
	for _, fi := range list {
		names = append(names, fi.Name())
	}
	slices.Sort(names)
	want(names, []string{"copy.txt", "ü b.txt"})
}
