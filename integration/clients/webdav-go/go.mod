module webdav-go

go 1.26.0

require github.com/studio-b12/gowebdav v0.13.0

require golang.org/x/net v0.62.0 // indirect
