package fs

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/minio/crc64nvme"

	"tote/meta"
)

// sumName names the checksum that every version gets. S3 knows it as CRC64NVME; sums of parts can be joined, and it costs next to
// nothing beside the disk.
const sumName = "crc64nvme:"

// newSum starts a checksum.
func newSum() hash.Hash64 { return crc64nvme.New() }

// formatSum is the form in which a checksum is kept.
func formatSum(h hash.Hash64) string { return fmt.Sprintf("%s%016x", sumName, h.Sum64()) }

// sumEvery is how often versions are looked for that came without a checksum because the kernel wrote them.
const sumEvery = 15 * time.Second

// sumBatch bounds one look.
const sumBatch = 200

// sumLoop computes the checksums of versions that the kernel wrote, in the background, until ctx ends.
func (f *FS) sumLoop(ctx context.Context) {
	tick := time.NewTicker(sumEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for {
			n, err := f.sumSome(ctx)
			if err != nil && ctx.Err() == nil {
				f.log.Warn("checksums could not be computed; trying again", "err", err)
			}
			if n < sumBatch || err != nil || ctx.Err() != nil {
				break
			}
		}
	}
}

// sumSome computes checksums for some versions that lack one.
func (f *FS) sumSome(ctx context.Context) (int, error) {
	list, err := f.db.VersionsToSum(ctx, sumBatch)
	if err != nil {
		return 0, err
	}
	for _, v := range list {
		sum, md, err := f.sumVersion(ctx, v)
		if err != nil {
			return len(list), fmt.Errorf("%s: %w", v.Key, err)
		}
		if err := f.db.SetSums(ctx, v.ID, sum, md, meta.Relaxed); err != nil {
			return len(list), err
		}
	}
	return len(list), nil
}

// sumVersion reads the whole object of a version.
func (f *FS) sumVersion(ctx context.Context, v Version) (sum, md string, err error) {
	r, err := f.store.Get(ctx, v.Key, 0, v.Size)
	if err != nil {
		return "", "", err
	}
	defer r.Close()
	h, m := newSum(), md5.New()
	n, err := io.Copy(io.MultiWriter(h, m), r)
	if err == nil && n != v.Size {
		err = errShort
	}
	return formatSum(h), hex.EncodeToString(m.Sum(nil)), err
}
