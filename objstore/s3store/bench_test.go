package s3store_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	types "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore"
	"tote/objstore/s3store"
	"tote/objstore/s3store/s3test"
	"tote/objstore/storetest"
)

// What is compared: 1 GiB in parts of 8 MiB, four at a time, through this package and through the SDK's own
// uploader and downloader, on the same server and from the same file:
//
//	go test -run '^$' -bench 'Upload|Download' -benchtime 2x -count 3 ./objstore/s3store
//	go test -run '^$' -bench Small -benchtime 5000x -count 3 ./objstore/s3store
//
// The first run on a fresh server is often the slowest, whosever it is.
const (
	benchSize   = 1 << 30
	benchPart   = 8 << 20
	benchAtOnce = 4
)

func BenchmarkStore(b *testing.B) {
	g := s3test.Start(b)
	n := 0
	storetest.Bench(b, func(b testing.TB) objstore.Store {
		n++
		return open(b, options(b, g, fmt.Sprintf("bench-%d", n)))
	})
}

func BenchmarkUpload(b *testing.B) {
	g := s3test.Start(b)
	f := bigFile(b)
	b.Run("tote", func(b *testing.B) {
		s := open(b, options(b, g, "tote"))
		b.SetBytes(benchSize)
		for b.Loop() {
			uploadParts(b, s, f)
		}
	})
	b.Run("sdk", func(b *testing.B) {
		up := sdk(g)
		b.SetBytes(benchSize)
		for b.Loop() {
			_, err := up.UploadObject(b.Context(), &transfermanager.UploadObjectInput{
				Bucket: &g.Bucket, Key: aws.String(g.Prefix("sdk")), Body: io.NewSectionReader(f, 0, benchSize),
			})
			must(b, err)
		}
	})
}

func BenchmarkDownload(b *testing.B) {
	g := s3test.Start(b)
	s := open(b, options(b, g, "tote"))
	uploadParts(b, s, bigFile(b))
	b.Run("tote", func(b *testing.B) {
		b.SetBytes(benchSize)
		for b.Loop() {
			must(b, ranges(func(off int64) error {
				body, err := s.GetMatch(b.Context(), "big", "", off, benchPart)
				if err != nil {
					return err
				}
				defer body.Close()
				n, err := io.CopyBuffer(onlyWriter{}, body, make([]byte, 128<<10))
				if err == nil && n != benchPart {
					err = io.ErrUnexpectedEOF
				}
				return err
			}))
		}
	})
	b.Run("sdk", func(b *testing.B) {
		down := sdk(g)
		b.SetBytes(benchSize)
		for b.Loop() {
			_, err := down.DownloadObject(b.Context(), &transfermanager.DownloadObjectInput{
				Bucket: &g.Bucket, Key: aws.String(g.Prefix("tote/big")), WriterAt: discardAt{},
			})
			must(b, err)
		}
	})
}

// sdk is the SDK's own way of moving large objects.
func sdk(g *s3test.Gateway) *transfermanager.Client {
	return transfermanager.New(g.Client(), func(o *transfermanager.Options) {
		o.PartSizeBytes, o.Concurrency, o.GetObjectType = benchPart, benchAtOnce, types.GetObjectRanges
	})
}

// BenchmarkSmall puts files of 4 KiB, sixteen at a time.
func BenchmarkSmall(b *testing.B) {
	g := s3test.Start(b)
	s, c := open(b, options(b, g, "tote")), g.Client()
	data := make([]byte, 4096)
	b.Run("tote", func(b *testing.B) {
		small(b, func(ctx context.Context, key string) error {
			_, err := s.Put(ctx, key, bytes.NewReader(data), 4096)
			return err
		})
	})
	b.Run("sdk", func(b *testing.B) {
		small(b, func(ctx context.Context, key string) error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &g.Bucket, Key: aws.String(g.Prefix(key)), Body: bytes.NewReader(data)})
			return err
		})
	})
}

func small(b *testing.B, put func(ctx context.Context, key string) error) {
	var next atomic.Int64
	b.SetBytes(4096)
	b.SetParallelism(8) // times two processors
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := put(b.Context(), fmt.Sprintf("small/%d", next.Add(1))); err != nil {
				b.Error(err)
			}
		}
	})
}

func uploadParts(b *testing.B, s *s3store.Store, f *os.File) {
	u, err := s.NewUpload(b.Context(), "big")
	must(b, err)
	parts := make([]objstore.Part, benchSize/benchPart)
	must(b, ranges(func(off int64) (err error) {
		i := off / benchPart
		parts[i], err = u.Part(b.Context(), int(i)+1, io.NewSectionReader(f, off, benchPart), benchPart)
		return err
	}))
	_, err = u.Complete(b.Context(), parts)
	must(b, err)
}

// ranges calls do for every part, some at once.
func ranges(do func(off int64) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range benchAtOnce {
		wg.Go(func() {
			for {
				off := (next.Add(1) - 1) * benchPart
				if off >= benchSize || failed.Load() != nil {
					return
				}
				if err := do(off); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func bigFile(b *testing.B) *os.File {
	f, err := os.Create(filepath.Join(b.TempDir(), "big"))
	must(b, err)
	b.Cleanup(func() { f.Close() })
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), benchSize)
	must(b, err)
	return f
}

// onlyWriter is io.Discard without its small buffers.
type onlyWriter struct{}

func (onlyWriter) Write(p []byte) (int, error) { return len(p), nil }

type discardAt struct{}

func (discardAt) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
