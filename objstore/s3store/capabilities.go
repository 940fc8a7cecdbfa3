package s3store

import "log/slog"

// Capabilities are what Open found out about the server.
type Capabilities struct {
	Checksums       bool  // it checks a CRC-64/NVME of every body; otherwise bodies carry an MD5
	UploadChecksums bool  // it keeps a CRC-64/NVME of every part, copied ones too, and of the whole upload
	ConditionalPut  bool  // it puts an object only where there is none when told so
	CopyPart        bool  // it copies ranges of objects into uploads
	MinPart         int64 // the smallest part before the last
	AllParts        bool  // it wants every part of an upload in the end, and lets none be left out
	MultipartTag    bool  // the tag of an upload is the MD5 of its parts' MD5s
	TreeKeys        bool  // objects are files in directories: "a" can't be beside "a/b"
}

// Capabilities returns what Open found out.
func (s *Store) Capabilities() Capabilities { return s.caps }

// LogValue is for slog.
func (c Capabilities) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Bool("checksums", c.Checksums),
		slog.Bool("upload-checksums", c.UploadChecksums),
		slog.Bool("conditional-put", c.ConditionalPut),
		slog.Bool("copy-part", c.CopyPart),
		slog.Int64("min-part", c.MinPart),
		slog.Bool("all-parts", c.AllParts),
		slog.Bool("multipart-tag", c.MultipartTag),
		slog.Bool("tree-keys", c.TreeKeys),
	)
}
