package restapi

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
func (r *rig) page(url string) (objects int, next string, took, cpu time.Duration) {
	r.Helper()
	req := httptest.NewRequestWithContext(r.Context(), "GET", url, nil)
	req.SetBasicAuth("mira", "")
	w := httptest.NewRecorder()
	start, used := time.Now(), cpuTime()
	login(r.handler).ServeHTTP(w, req)
	took, cpu = time.Since(start), cpuTime()-used
	var m struct {
		ManagedObjects []struct{ ID string }
		Next           string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || w.Code != 200 {
		r.Fatalf("%s: %d %s", url, w.Code, w.Body)
	}
	return len(m.ManagedObjects), m.Next, took, cpu
}

// cpuTime is what this process has had of the machine, which others may keep busy.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// report tells how long pages took: the first, the median, the one that 99 of 100 are not slower than, the slowest.
func report(b *testing.B, what string, times []time.Duration) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(times[0]), what+"-first")
	slices.Sort(times)
	b.ReportMetric(ms(times[len(times)/2]), what+"-p50")
	b.ReportMetric(ms(times[len(times)*99/100]), what+"-p99")
	b.ReportMetric(ms(times[len(times)-1]), what+"-max")
}

// BenchmarkList walks through all pages of a large inventory by their links, for each kind of list.
func BenchmarkList(b *testing.B) {
	r := newRig(b)
	n := benchFiles()
	r.fill(n)
	for _, url := range []string{"/inventory/binaries?pageSize=100", "/inventory/managedObjects?pageSize=100&withTotalPages=true", "/inventory/binaries?pageSize=100&owner=mira", "/inventory/binaries?pageSize=100&type=text/*"} {
		b.Run(strings.NewReplacer("/", "_", "?", "_", "&", "_").Replace(url[1:]), func(b *testing.B) {
			for range b.N {
				var times, cpus []time.Duration
				seen := 0
				for next := "http://x" + url; next != ""; {
					var took, cpu time.Duration
					var objects int
					objects, next, took, cpu = r.page(next)
					seen += objects
					times, cpus = append(times, took), append(cpus, cpu)
				}
				if seen != n {
					b.Fatalf("saw %d of %d", seen, n)
				}
				report(b, "ms", times)
				report(b, "cpu-ms", cpus)
			}
		})
	}
	b.Run("by_number", func(b *testing.B) {
		for range b.N {
			_, _, took, _ := r.page(fmt.Sprintf("http://x/inventory/binaries?pageSize=100&currentPage=%d", n/100))
			b.ReportMetric(float64(took.Microseconds())/1000, "ms-last")
		}
	})
}
