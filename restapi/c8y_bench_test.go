package restapi

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tote/meta"
)

// benchFiles is how many binaries lists are measured on.
func benchFiles() int {
	if n, err := strconv.Atoi(os.Getenv("TOTE_BENCH_FILES")); err == nil {
		return n
	}
	return 1_000_000
}

// fill makes binaries as uploads do, without their bytes.
func (r *rig) fill(n int) {
	r.Helper()
	ctx := r.Context()
	dir, err := r.fs.MkdirAll(ctx, sys(), inventoryDir)
	if err != nil {
		r.Fatal(err)
	}
	for i := range n {
		name := fmt.Sprintf("file-%07d.txt", i)
		_, err := r.db.Commit(ctx, meta.CommitArgs{
			Parent: dir.Ino(), Name: name, Mode: 0o644, GUID: fmt.Sprintf("%032x", i), Key: fmt.Sprintf("rdp/binarystreamobject/assets/file-%07d@_@%032x.txt", i, i),
			Size: 10, State: meta.StateStored, Sum: "crc64nvme:0123456789abcdef", MD5: "0123456789abcdef0123456789abcdef", Origin: "rest",
			Props: []meta.Property{{Name: "user", Value: `"mira"`}, {Name: "originalFileName", Value: `"` + name + `"`}, {Name: "contentType", Value: `"text/plain"`}},
		}, meta.Relaxed)
		if err != nil {
			r.Fatal(err)
		}
	}
}

// page asks for one page and says what came and how long it took.
func (r *rig) page(url string) (objects int, next string, took time.Duration) {
	r.Helper()
	req := httptest.NewRequestWithContext(r.Context(), "GET", url, nil)
	req.SetBasicAuth("mira", "")
	w := httptest.NewRecorder()
	start := time.Now()
	login(r.handler).ServeHTTP(w, req)
	took = time.Since(start)
	var m struct {
		ManagedObjects []struct{ ID string }
		Next           string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || w.Code != 200 {
		r.Fatalf("%s: %d %s", url, w.Code, w.Body)
	}
	return len(m.ManagedObjects), m.Next, took
}

// BenchmarkList walks through all pages of a large inventory by their links, for each kind of list that an index answers. It reports the slowest page and
// the one that 99 of 100 are not slower than.
func BenchmarkList(b *testing.B) {
	r := newRig(b)
	n := benchFiles()
	r.fill(n)
	for _, url := range []string{"/inventory/binaries?pageSize=100", "/inventory/managedObjects?pageSize=100&withTotalPages=true", "/inventory/binaries?pageSize=100&owner=mira", "/inventory/binaries?pageSize=100&type=text/*"} {
		b.Run(strings.NewReplacer("/", "_", "?", "_", "&", "_").Replace(url[1:]), func(b *testing.B) {
			for range b.N {
				var times []time.Duration
				seen := 0
				for next := "http://x" + url; next != ""; {
					var took time.Duration
					var objects int
					objects, next, took = r.page(next)
					seen += objects
					times = append(times, took)
				}
				if seen != n {
					b.Fatalf("saw %d of %d", seen, n)
				}
				first := times[0]
				slices.Sort(times)
				b.ReportMetric(float64(first.Microseconds())/1000, "ms-first")
				b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms-p50")
				b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "ms-p99")
				b.ReportMetric(float64(times[len(times)-1].Microseconds())/1000, "ms-max")
			}
		})
	}
	b.Run("by_number", func(b *testing.B) {
		for range b.N {
			_, _, took := r.page(fmt.Sprintf("http://x/inventory/binaries?pageSize=100&currentPage=%d", n/100))
			b.ReportMetric(float64(took.Microseconds())/1000, "ms-last")
		}
	})
}
