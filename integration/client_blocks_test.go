package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// put sends a body to a signed URL and gives the status; 0 when the server went away.
func (r *clientRig) put(u, body string) int {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPut, u, strings.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "") // the URL is the credential
	res, err := r.client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func (r *clientRig) upload(key string) string {
	r.t.Helper()
	o := r.service("/api/binarystreamobjectservice/prepareUpload", fmt.Sprintf(`{"binaryStreamObject":{"type":"t","properties":{"objectKey":%q}}}`, key))[0]
	return o.Properties["uploadURL"].(string)
}

// TestBlocksSurviveCrashes kills the server between blocks, and again and again while a list is being made a blob: the blob is the old one or
// the new one, and the blocks are there until it is.
func TestBlocksSurviveCrashes(t *testing.T) {
	const blocks = 12
	r := startForClients(t)
	old := randomBytes(1<<20, 1)
	if got := r.put(r.upload("crash.bin"), string(old)); got != 201 {
		t.Fatalf("the first content: %d", got)
	}
	u := r.upload("crash.bin")
	var want bytes.Buffer
	var ids []string
	for i := range blocks {
		data := randomBytes(2<<20+i, uint64(100+i))
		want.Write(data)
		id := fmt.Sprintf("b%02d", i)
		ids = append(ids, "Latest "+id)
		if got := r.put(u+"&"+blockQuery(id), string(data)); got != 201 {
			t.Fatalf("block %d: %d", i, got)
		}
		if i == blocks/2 {
			r.kill()
			r.start()
		}
	}
	wantContent(t, r.mount(), "/assets/crash.bin", old)
	for delay := 2 * time.Millisecond; ; delay *= 2 {
		status := make(chan int, 1)
		go func() { status <- r.put(u+"&comp=blocklist", blockXML(ids...)) }()
		select {
		case got := <-status:
			if got != 201 {
				t.Fatalf("the list: %d", got)
			}
			wantContent(t, r.mount(), "/assets/crash.bin", want.Bytes())
			return
		case <-time.After(delay):
		}
		r.kill()
		got := <-status
		r.start()
		now, err := r.mount().Get("/assets/crash.bin")
		check(t, err)
		switch {
		case bytes.Equal(now, want.Bytes()):
			return // it was just in time
		case got == 201 || !bytes.Equal(now, old):
			t.Fatalf("after %v (status %d) the blob is neither: %s", delay, got, difference(now, old))
		}
	}
}

// TestBlocksRace uploads blocks of one blob from many sides while lists, whole blobs and deletions come in between. Whatever is there in the end
// is something that one request stored.
func TestBlocksRace(t *testing.T) {
	r := startForClients(t)
	u := r.upload("race.bin")
	part := func(id string) string { return strings.Repeat(id, 50_000) }
	var work sync.WaitGroup
	end := time.Now().Add(5 * time.Second)
	for i := range 6 {
		work.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				id := string(rune('a' + (i+n)%4))
				switch {
				case i < 3:
					r.allowed(r.put(u+"&"+blockQuery(id), part(id)), 201)
				case i == 3:
					r.allowed(r.put(u+"&comp=blocklist", blockXML("Latest a", "Latest b")), 201, 400)
				case i == 4:
					r.allowed(r.put(u+"&comp=blocklist", blockXML("Latest c", "Latest d", "Latest c")), 201, 400)
				case n%2 == 0:
					r.allowed(r.put(u, part("w")), 201)
				default:
					r.remove("race.bin")
				}
			}
		})
	}
	work.Wait()
	if got := r.put(u, "end"); got != 201 {
		t.Errorf("the last upload: %d", got)
	}
	wantGet(t, r.mount(), "/assets/race.bin", "end")
	if names, err := r.mount().List("/assets"); err != nil || len(names) != 1 {
		t.Errorf("the directory holds %v, %v", names, err)
	}
	if left := r.staged(); len(left) > 0 {
		t.Errorf("staging holds %v", left)
	}
}

func (r *clientRig) allowed(got int, statuses ...int) {
	for _, s := range statuses {
		if got == s {
			return
		}
	}
	r.t.Errorf("status %d, want one of %v", got, statuses)
}

// remove deletes an object, which may be gone.
func (r *clientRig) remove(key string) {
	body := fmt.Sprintf(`{"binaryStreamObject":{"properties":{"objectKey":%q}}}`, key)
	req, _ := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.base+"/api/binarystreamobjectservice/delete", strings.NewReader(body))
	req.Header.Set("auth-client-id", r.id)
	req.Header.Set("auth-client-secret", r.secret)
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Error(err)
		return
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if s := string(text); !strings.Contains(s, `"success"`) && !strings.Contains(s, "E0018") {
		r.t.Errorf("delete: %s", s)
	}
}
