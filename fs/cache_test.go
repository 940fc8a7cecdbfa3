package fs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"testing"

	"tote/objstore"
)

// strictCache is a Cache that keeps nothing, and verifies every block it hands out.
type strictCache struct {
	store objstore.Store

	mu        sync.Mutex
	open      int             // guarded by mu, like all below
	verified  int             // blocks
	forgotten map[string]bool // keys
}

func (c *strictCache) Open(o CacheObject) CacheFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
	return &strictFile{c, o}
}

func (c *strictCache) Forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgotten[key] = true
}

type strictFile struct {
	c *strictCache
	o CacheObject
}

var errCorrupt = errors.New("a block has another checksum")

func (f *strictFile) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	from, to := off/blockSize*blockSize, min(f.o.Size, (off+int64(len(p))+blockSize-1)/blockSize*blockSize)
	m, _ := objstore.As[objstore.MatchGetter](f.c.store)
	body, err := m.GetMatch(ctx, f.o.Key, f.o.ETag, from, to-from)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return 0, err
	}
	for at := int64(0); at < int64(len(data)); at += blockSize {
		block := data[at:min(at+blockSize, int64(len(data)))]
		i := (from + at) / blockSize
		if crc32.Checksum(block, castagnoli()) != binary.BigEndian.Uint32(f.o.Sums[i*4:]) {
			return 0, errCorrupt
		}
		f.c.mu.Lock()
		f.c.verified++
		f.c.mu.Unlock()
	}
	return copy(p, data[off-from:]), nil
}

func (f *strictFile) SendTo(ctx context.Context, w io.Writer, off, n int64) (int64, error) {
	p := make([]byte, n)
	if _, err := f.ReadAt(ctx, p, off); err != nil {
		return 0, err
	}
	k, err := w.Write(p)
	return int64(k), err
}

func (f *strictFile) Close() {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.open--
}

// newCached opens a core that reads through a strictCache.
func newCached(t *testing.T, change ...func(*Options)) (*far, *strictCache) {
	mem := newLimited()
	cache := &strictCache{store: mem, forgotten: map[string]bool{}}
	return openFar(t, t.TempDir(), mem, append(change, func(o *Options) { o.Cache = cache })...), cache
}

func TestReadsGoThroughTheCache(t *testing.T) {
	c, cache := newCached(t)
	want := randomBytes(1, 3*mib+100)
	ok(t, c.putBytes("/f", want))
	gets := c.fault.Calls("get")
	c.holds("/f", want)
	var b bytes.Buffer
	r := must(c.OpenReader(t.Context(), c.dav, "/f"))(t)
	must(r.SendTo(&b, mib-5, 10))(t)
	ok(t, r.Close())
	if !bytes.Equal(b.Bytes(), want[mib-5:mib+5]) {
		t.Errorf("sent %x", b.Bytes())
	}
	h := c.open("/f", os.O_RDWR)
	p := make([]byte, 100)
	must(h.ReadAt(t.Context(), p, 2*mib))(t)
	if !bytes.Equal(p, want[2*mib:2*mib+100]) {
		t.Error("the mount reads something else")
	}
	must(h.WriteAt(t.Context(), []byte("changed"), 2*mib+10))(t)
	copy(want[2*mib+10:], "changed")
	ok(t, h.Flush(t.Context()))
	must(h.ReadAt(t.Context(), p, 2*mib))(t)
	h.Release()
	c.holds("/f", want)
	if n := c.fault.Calls("get"); n != gets {
		t.Errorf("%d reads went past the cache", n-gets)
	}
	if cache.open != 0 || cache.verified == 0 {
		t.Errorf("%d files are open, %d blocks were verified", cache.open, cache.verified)
	}
	ok(t, c.RemoveAll(t.Context(), c.dav, "/f", nil))
	must(c.GC(t.Context(), true))(t)
	if len(cache.forgotten) != 2 {
		t.Errorf("forgotten: %v", cache.forgotten)
	}
	c.sound()
}

func TestWritebackLayerReadsItsBaseThroughTheCache(t *testing.T) {
	c, cache := newCached(t, lazily)
	want := randomBytes(2, 2*mib)
	ok(t, c.putBytes("/f", want))
	open := c.blocked()
	h := c.open("/f", os.O_RDWR)
	must(h.WriteAt(t.Context(), []byte("layer"), 100))(t)
	copy(want[100:], "layer")
	ok(t, h.Flush(t.Context()))
	h.Release()
	if got, err := c.slurp("/f"); err != nil || got != string(want) { // the cache is not behind the fault plan
		t.Errorf("a layer: %d bytes, %v", len(got), err)
	}
	open()
	ok(t, c.Drain(t.Context(), nil))
	c.holds("/f", want)
	if cache.open != 0 {
		t.Errorf("%d files are open", cache.open)
	}
	c.sound()
}

func TestDamagedObjectIsAnError(t *testing.T) {
	c, _ := newCached(t)
	want := randomBytes(3, 2*mib)
	ok(t, c.putBytes("/f", want))
	info := must(c.Stat(t.Context(), c.dav, "/f"))(t)
	v := must(c.db.CurrentVersion(t.Context(), info.Ino()))(t)
	want[mib+5] ^= 1
	put := must(c.mem.Put(t.Context(), v.Key, bytes.NewReader(want), v.Size))(t)
	if _, err := c.slurp("/f"); Errno(err) == 0 {
		t.Error("an object with another tag was read")
	}
	o := must(c.db.Object(t.Context(), v.ID))(t)
	f := c.cached(v, o).(*strictFile)
	f.o.ETag = put.ETag // a store that changes bytes and tells nobody
	if _, err := f.ReadAt(t.Context(), make([]byte, 10), mib); !errors.Is(err, errCorrupt) {
		t.Errorf("reading a damaged block: %v", err)
	}
	f.Close()
	problems := 0
	must(c.Fsck(t.Context(), FsckOptions{Deep: true}, func(string) { problems++ }))(t)
	if problems != 1 {
		t.Errorf("fsck found %d problems", problems)
	}
}

func TestCrashDuringAnUpload(t *testing.T) {
	c := newFar(t)
	ok(t, c.putBytes("/old", []byte("old")))
	w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/old"}))(t)
	must(w.Write(randomBytes(4, 4*mib)))(t)
	h := c.create("new")
	c.write(h, 0, string(randomBytes(5, 3*mib)))
	c.eventually("both have begun", func() bool {
		return len(must(c.db.Uploads(t.Context(), false))(t)) == 2 && c.fault.Calls("part") > 2
	})
	c = c.crash()
	if got, err := c.slurp("/old"); err != nil || got != "old" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := c.slurp("/new"); err != nil || got != "" {
		t.Errorf("%d bytes of a file that was never closed, %v", len(got), err)
	}
	c.sound()
}
