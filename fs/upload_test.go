package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"tote/objstore"
	"tote/objstore/storetest"
)

func TestBodyIsSentWhileItComes(t *testing.T) {
	c := newFar(t)
	data := randomBytes(1, 5*mib+mib/2)
	w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/big"}))(t)
	must(w.Write(data[:3*mib+100]))(t)
	c.eventually("three parts are there before the end", func() bool { return c.fault.Calls("part") >= 3 })
	if rows := must(c.db.Uploads(t.Context(), false))(t); len(rows) != 1 {
		t.Errorf("on record: %+v", rows)
	}
	must(w.Write(data[3*mib+100:]))(t)
	_, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: int64(len(data))})
	ok(t, err)
	if n := c.fault.Calls("part"); n != 6 {
		t.Errorf("%d parts were sent, want 6", n)
	}
	if rows := must(c.db.Uploads(t.Context(), true))(t); len(rows) != 1 {
		t.Errorf("tombstones: %+v", rows)
	}
	c.holds("/big", data)
	c.sound()
}

func TestSmallBodyIsOneCall(t *testing.T) {
	for _, n := range []int{0, 1, 4096, mib} {
		c := newFar(t)
		data := randomBytes(2, n)
		ok(t, c.putBytes("/a", data))
		if all, puts := c.fault.Calls(""), c.fault.Calls("put"); puts != 1 || all != 1 {
			t.Errorf("%d bytes: %d puts in %d calls", n, puts, all)
		}
		c.holds("/a", data)
		c.sound()
	}
}

func TestPartsInParallelAreBounded(t *testing.T) {
	c := newFar(t, func(o *Options) { o.Uploads = 3 })
	c.fault.Add(storetest.Rule{Op: "complete", Do: storetest.Delay(time.Millisecond)})
	data := randomBytes(3, 20*mib)
	ok(t, c.putBytes("/big", data))
	if most := c.mem.most.Load(); most > 3 {
		t.Errorf("%d parts at once", most)
	}
	c.holds("/big", data)
	c.sound()
}

func TestFaultsOfAnUpload(t *testing.T) {
	temporary := objstore.ErrTemporary
	for _, r := range []storetest.Rule{
		{Op: "upload", Nth: 1, Do: storetest.Fail(temporary)},
		{Op: "upload", Nth: 1, Do: storetest.Lose(temporary)},
		{Op: "part", Nth: 2, Do: storetest.Fail(temporary)},
		{Op: "part", Nth: 2, Do: storetest.Lose(temporary)},
		{Op: "part", Nth: 3, Do: storetest.Cut(1000)},
		{Op: "part", Nth: 3, Do: storetest.Fail(objstore.ErrNotFound)}, // the upload has vanished
		{Op: "complete", Nth: 1, Do: storetest.Fail(objstore.ErrNotFound)},
		{Op: "complete", Nth: 1, Do: storetest.Fail(objstore.ErrPart)},
	} {
		t.Run(fmt.Sprint(r.Op, r.Do), func(t *testing.T) {
			c := newFar(t)
			data := randomBytes(4, 4*mib+5)
			c.fault.Add(r)
			w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/big"}))(t)
			must(w.Write(data))(t)
			c.eventually("the fault has happened or waits for the end", func() bool { return r.Op == "complete" || c.fault.Calls(r.Op) >= r.Nth })
			_, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: int64(len(data))})
			ok(t, err)
			c.holds("/big", data)
			c.remote.tasks.group.Wait()
			must(c.GC(t.Context(), true))(t) // an upload whose beginning got lost is known to the store alone
			c.sound()
		})
	}
}

func TestUploadThatFailsLeavesTheOldVersion(t *testing.T) {
	for _, r := range []storetest.Rule{
		{Op: "complete", Do: storetest.Fail(objstore.ErrTemporary)},
		{Op: "complete", Do: storetest.Lose(objstore.ErrTemporary)},
		{Op: "part", Do: storetest.Fail(objstore.ErrTemporary)},
		{Op: "part", Do: storetest.Fail(objstore.ErrDenied)},
		{Op: "put", Do: storetest.Lose(objstore.ErrTemporary)},
	} {
		t.Run(fmt.Sprint(r.Op, r.Do), func(t *testing.T) {
			c := newFar(t)
			old, data := randomBytes(5, 1000), randomBytes(6, 3*mib)
			if r.Op == "put" {
				data = data[:10]
			}
			ok(t, c.putBytes("/a", old))
			c.fault.Add(r)
			if err := c.putBytes("/a", data); err == nil {
				t.Error("no error")
			}
			c.fault.Clear()
			c.holds("/a", old)
			c.sound()
		})
	}
}

func TestAbortedBodyLeavesNoUpload(t *testing.T) {
	c := newFar(t)
	w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/big"}))(t)
	must(w.Write(randomBytes(7, 3*mib)))(t)
	c.eventually("a part is there", func() bool { return c.fault.Calls("part") > 0 })
	if _, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: 4 * mib}); !errors.Is(err, ErrShortBody) {
		t.Errorf("commit of half a body: %v", err)
	}
	c.sound()
}

func TestStoreThatRefusesIsToldEarly(t *testing.T) {
	c := newFar(t)
	c.fault.Add(storetest.Rule{Op: "part", Do: storetest.Fail(objstore.ErrNoSpace)})
	w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/big"}))(t)
	defer w.Abort()
	var err error
	for range 1000 {
		if _, err = w.Write(make([]byte, mib)); err != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writing to a full store: %v", err)
	}
}

func TestRetargetDuringTheUpload(t *testing.T) {
	c := newFar(t)
	data := randomBytes(8, 3*mib+1)
	w := must(c.NewWriter(t.Context(), c.dav, Target{Dir: "/", Name: "part"}))(t)
	must(w.Write(data))(t)
	c.eventually("a part is there", func() bool { return c.fault.Calls("part") > 0 })
	ok(t, w.Retarget(t.Context(), Target{Dir: "/", Name: "real.bin", Key: "real@_@my-guid.bin"}))
	info, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: -1})
	ok(t, err)
	v := must(c.db.CurrentVersion(t.Context(), info.Ino()))(t)
	if v.Key != clientKey("rdp", "real@_@my-guid.bin") || v.GUID != "my-guid" {
		t.Errorf("version %+v", v)
	}
	c.holds("/real.bin", data)
	c.sound()
}

func TestAnnouncedLength(t *testing.T) {
	c := newFar(t)
	w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/a"}))(t)
	defer w.Abort()
	w.Expect(20_000 * mib)
	if got := w.up.layout.first; got != 2*mib {
		t.Errorf("parts of %d bytes", got)
	}
}

// endless is a store for uploads of any length: it counts parts and forgets their bytes.
type endless struct {
	*limited
}

func (e endless) NewUpload(ctx context.Context, key string) (objstore.Upload, error) {
	u, err := e.Store.NewUpload(ctx, key)
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.sizes)
	return endlessUpload{u, e.limited}, err
}

type endlessUpload struct {
	objstore.Upload
	l *limited
}

func (u endlessUpload) Part(_ context.Context, number int, _ io.Reader, size int64) (objstore.Part, error) {
	if err := objstore.CheckNumber(number); err != nil {
		return objstore.Part{}, err
	}
	u.l.mu.Lock()
	defer u.l.mu.Unlock()
	u.l.sizes[number] = size
	return objstore.Part{Number: number, Size: size}, nil
}

func (u endlessUpload) Complete(_ context.Context, parts []objstore.Part) (objstore.Info, error) {
	info := objstore.Info{Key: u.Key()}
	for i, p := range parts {
		if u.l.limits.EqualParts && i < len(parts)-1 && p.Size != parts[0].Size || p.Size > u.l.limits.MaxPart {
			return info, objstore.ErrPart
		}
		if u.l.sizes[p.Number] != p.Size {
			return info, objstore.ErrPart
		}
		info.Size += p.Size
	}
	return info, objstore.CheckParts(parts)
}

// TestFileOf5TiB sends a file as long as S3 takes, of which nobody knew the length before, through a store that forgets it.
func TestFileOf5TiB(t *testing.T) {
	for _, equal := range []bool{false, true} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("equal=%v known=%v", equal, known), func(t *testing.T) {
				mem := newLimited()
				mem.limits.MinPart, mem.limits.EqualParts = 5*mib, equal
				c := newFar(t)
				c.store = endless{mem}
				c.FS.store = c.store
				c.remote.limits, c.remote.part = mem.limits, defaultPart
				u := c.newUpload(t.Context(), 0, bytes.NewReader(nil), func(context.Context) (objectName, error) {
					return objectName{guid: "g", key: "big"}, nil
				})
				defer u.close(false)
				u.sum = func(at span) (blockSums, error) { return blockSums{}, nil }
				const size, step = maxObject, 1 << 30
				if known {
					u.expect(size)
				}
				for off := int64(0); off < size; off += step {
					u.wrote(off, off+step)
				}
				p, err := u.publish(t.Context(), size, nil)
				ok(t, err)
				if len(mem.sizes) > objstore.MaxParts {
					t.Errorf("%d parts", len(mem.sizes))
				}
				if u.layout.first == defaultPart && (equal || known) {
					t.Error("the parts are as small as at the beginning")
				}
				_ = p
			})
		}
	}
}
