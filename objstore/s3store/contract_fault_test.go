package s3store_test

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"tote/objstore"
	"tote/objstore/s3store"
	"tote/objstore/s3store/s3proxy"
	"tote/objstore/s3store/s3test"
	"tote/objstore/storetest"
)

// through opens a store behind a proxy that does no harm yet, and gives up stalled attempts soon.
func through(t testing.TB, g *s3test.Gateway, p *s3proxy.Proxy, prefix string) *s3store.Store {
	t.Helper()
	opts, err := s3store.ParseURL(g.URLAt(p.URL(), prefix))
	if err != nil {
		t.Fatal(err)
	}
	plain := options(t, g, prefix)
	opts.Credentials, opts.Logger = plain.Credentials, plain.Logger
	opts.Stall = 100 * time.Millisecond
	if g.Pid == 0 { // another server may be slow by nature
		opts.Stall = 3 * time.Second
	}
	opts.Patience = time.Minute
	return open(t, opts)
}

func proxy(t testing.TB, g *s3test.Gateway) *s3proxy.Proxy {
	t.Helper()
	p, err := s3proxy.New(g.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// TestContract_Faults runs the suite while calls fail in every way there is, all of them at once. With TOTE_FAULTS=each
// in the environment it also runs once for each way.
func TestContract_Faults(t *testing.T) {
	g := s3test.Start(t)
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		faultyContract(t, g, s3proxy.Modes, 0.01)
	})
	if os.Getenv("TOTE_FAULTS") != "each" {
		return
	}
	for _, mode := range s3proxy.Modes {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			faultyContract(t, g, []s3proxy.Mode{mode}, 0.05)
		})
	}
}

func faultyContract(t *testing.T, g *s3test.Gateway, modes []s3proxy.Mode, share float64) {
	p := proxy(t, g)
	bucket := through(t, g, p, "")
	var faults []s3proxy.Fault
	for _, mode := range modes {
		faults = append(faults, s3proxy.Fault{Mode: mode, Ops: opsFor(mode), Share: share})
	}
	seed := uint64(0) // another one for every clause
	storetest.Run(t, func(t testing.TB) objstore.Store {
		p.Inject(seed)
		s, err := bucket.At(g.Prefix("p-" + rand.Text()[:8]))
		must(t, err)
		if seed++; !calm(t.Name(), g) {
			p.Inject(seed, faults...)
		}
		return unsigned{s, s}
	})
}

// calm names the clauses that are not for this: one makes more than a thousand calls of one kind; one replaces an
// object while it is read, whereby versitygw can send the tag of one object with the bytes of the next, so that a
// read that is taken up again can't know; one leaves gaps between the numbers of parts, whereby Ceph 16 loses the
// object when the first part was sent twice; and two count the uploads that are open, of which one is left over when a
// slow answer to its beginning made the store begin it twice (gc ends it).
func calm(name string, g *s3test.Gateway) bool {
	return strings.HasSuffix(name, "/UploadLister/ShowsTheOpenOnes") || strings.HasSuffix(name, "/Abort/DuringPartsLeavesNothing") ||
		strings.HasSuffix(name, "/List/PrefixAndAfter") || strings.HasSuffix(name, "/Put/ConcurrentOnOneKey") ||
		g.Pid == 0 && strings.HasSuffix(name, "/Upload/PartsInAnyOrder")
}

// opsFor leaves out what a store can't heal: bytes that a server sends wrong without a checksum, and the upload
// that is begun twice when the first answer was lost, which stays until the caller's garbage collection.
func opsFor(mode s3proxy.Mode) []s3proxy.Op {
	switch mode {
	case s3proxy.Corrupt:
		return []s3proxy.Op{s3proxy.PutObject, s3proxy.UploadPart}
	case s3proxy.Truncate:
		return []s3proxy.Op{
			s3proxy.GetObject, s3proxy.ListObjects, s3proxy.ListParts, s3proxy.ListMultipartUploads,
			s3proxy.CompleteMultipartUpload, s3proxy.UploadPartCopy,
		}
	case s3proxy.ServerError, s3proxy.SlowDown, s3proxy.ErrorIn200, s3proxy.ErrorIn200After, s3proxy.NoSuchUpload:
		return nil
	}
	return []s3proxy.Op{
		s3proxy.GetObject, s3proxy.HeadObject, s3proxy.PutObject, s3proxy.DeleteObject, s3proxy.UploadPart,
		s3proxy.UploadPartCopy, s3proxy.CompleteMultipartUpload, s3proxy.AbortMultipartUpload, s3proxy.ListParts,
		s3proxy.ListObjects, s3proxy.ListMultipartUploads,
	}
}

// unsigned hides that the store makes URLs: those who use them repeat nothing.
type unsigned struct {
	objstore.Store
	s *s3store.Store
}

func (u unsigned) Ability(target any) bool {
	switch t := target.(type) {
	case *objstore.Resumer:
		*t = u.s
	case *objstore.UploadLister:
		*t = u.s
	case *objstore.MatchGetter:
		*t = u.s
	case *objstore.Describer:
		*t = u.s
	case *objstore.Limiter:
		*t = u.s
	default:
		return false
	}
	return true
}
