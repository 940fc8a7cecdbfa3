package storetest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"tote/objstore"
)

// Bench measures what the core does most: small objects in, ranges out.
func Bench(b *testing.B, newStore func(t testing.TB) objstore.Store) {
	b.Run("Put4KiB", func(b *testing.B) { benchPut(b, newStore(b)) })
	b.Run("Put4KiBParallel", func(b *testing.B) { benchPutParallel(b, newStore(b)) })
	b.Run("Get1MiBRange", func(b *testing.B) { benchGet(b, newStore(b)) })
	b.Run("List10000", func(b *testing.B) { benchList(b, newStore(b)) })
	s := newStore(b)
	if a, ok := objstore.As[objstore.Adopter](s); ok {
		b.Run("Adopt4KiB", func(b *testing.B) { benchAdopt(b, a.Adopt) })
	}
	if a, ok := objstore.As[objstore.LazyAdopter](s); ok {
		b.Run("AdoptLazy4KiB", func(b *testing.B) { benchAdopt(b, a.AdoptLazy) })
	}
}

func benchKey(i int) string { return fmt.Sprintf("rdp/binarystreamobject/assets/file@_@%08d.bin", i) }

func benchPut(b *testing.B, s objstore.Store) {
	data := pattern(1, 4096)
	b.SetBytes(4096)
	for i := 0; b.Loop(); i++ {
		put(b, s, benchKey(i), data)
	}
}

func benchPutParallel(b *testing.B, s objstore.Store) {
	data := pattern(1, 4096)
	b.SetBytes(4096)
	b.SetParallelism(16)
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			key := benchKey(int(next.Add(1)))
			if _, err := s.Put(b.Context(), key, bytes.NewReader(data), 4096); err != nil {
				b.Error(err)
			}
		}
	})
}

func benchGet(b *testing.B, s objstore.Store) {
	const size, step = 64 << 20, 1 << 20
	put(b, s, "big", pattern(1, size))
	b.SetBytes(step)
	for i := 0; b.Loop(); i++ {
		body, err := s.Get(b.Context(), "big", int64(i*step%size), step)
		noErr(b, err)
		n, err := io.Copy(io.Discard, body)
		noErr(b, err)
		noErr(b, body.Close())
		if n != step {
			b.Fatalf("%d bytes", n)
		}
	}
}

func benchList(b *testing.B, s objstore.Store) {
	for i := range 10_000 {
		put(b, s, benchKey(i), nil)
	}
	for b.Loop() {
		if n := len(keys(b, s, "", "")); n != 10_000 {
			b.Fatalf("%d keys", n)
		}
	}
}

// benchAdopt stages its files outside the measured time, a batch at a time.
func benchAdopt(b *testing.B, adopt adoptFunc) {
	dir := b.TempDir()
	data := pattern(1, 4096)
	stage := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	const batch = 256
	for i := 0; b.Loop(); i++ {
		if i%batch == 0 {
			b.StopTimer()
			for j := range batch {
				noErr(b, os.WriteFile(stage(j), data, 0o600))
			}
			b.StartTimer()
		}
		_, err := adopt(b.Context(), benchKey(i), stage(i%batch))
		noErr(b, err)
	}
}
