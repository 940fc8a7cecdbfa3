package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tote/objstore"
)

// twoParts is an upload with two parts, and what Complete wants.
func twoParts(t *testing.T, s *Store) (objstore.Upload, []objstore.Part) {
	t.Helper()
	u, err := s.NewUpload(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	var parts []objstore.Part
	for i, text := range []string{"one", "two"} {
		p, err := u.Part(t.Context(), i+1, strings.NewReader(text), 3)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	return u, parts
}

func published(t *testing.T, f *fake, info objstore.Info, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := f.object("a"); string(got) != "onetwo" || info.Size != 6 || info.Key != "a" || !strings.HasSuffix(info.ETag, "-2") {
		t.Errorf("%q is published, complete says %+v", got, info)
	}
}

func TestComplete_LostReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, parts := twoParts(t, s)
		f.lose("Complete", 1)
		info, err := u.Complete(t.Context(), parts)
		published(t, f, info, err)
		again, err := u.Complete(t.Context(), parts)
		if err != nil || again != info || f.seen("Complete") != 2 {
			t.Errorf("again: %+v, error %v, %d calls", again, err, f.seen("Complete"))
		}
	})
}

func TestComplete_ErrorInTheAnswer(t *testing.T) {
	for _, status := range []int{200, 500} {
		synctest.Test(t, func(t *testing.T) {
			f, s := newFake(t)
			u, parts := twoParts(t, s)
			f.on("Complete", first(2, status, "InternalError"))
			info, err := u.Complete(t.Context(), parts)
			published(t, f, info, err)
			if f.seen("Complete") != 3 {
				t.Errorf("%d calls", f.seen("Complete"))
			}
		})
	}
}

// TestComplete_NoSuchUploadAfterSuccess: the server forgets an upload while it completes it.
func TestComplete_NoSuchUploadAfterSuccess(t *testing.T) {
	for _, code := range []string{"NoSuchUpload", "InvalidPart"} {
		synctest.Test(t, func(t *testing.T) {
			f, s := newFake(t)
			u, parts := twoParts(t, s)
			f.on("Complete", func(_ int, w http.ResponseWriter, r *http.Request) bool {
				f.do("Complete", "p/a", &deaf{}, r)
				fail(w, 404, code)
				return true
			})
			info, err := u.Complete(t.Context(), parts)
			published(t, f, info, err)
		})
	}
}

// TestComplete_InAnotherProcess: a second store knows nothing but the upload's id and its parts.
func TestComplete_InAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, parts := twoParts(t, s)
		other := *s
		other.ended = newEndings()

		open, err := other.ResumeUpload(t.Context(), "a", u.ID())
		if err != nil {
			t.Fatal(err)
		}
		first, err := u.Complete(t.Context(), parts)
		published(t, f, first, err)
		second, err := open.Complete(t.Context(), parts)
		if err != nil || second != first {
			t.Errorf("the one that was open says %+v, error %v", second, err)
		}

		other.ended = newEndings()
		late, err := other.ResumeUpload(t.Context(), "a", u.ID())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := late.Part(t.Context(), 3, strings.NewReader("x"), 1); !errors.Is(err, objstore.ErrNotFound) {
			t.Errorf("a late part: %v", err)
		}
		third, err := late.Complete(t.Context(), parts)
		if err != nil || third != first {
			t.Errorf("the late one says %+v, error %v", third, err)
		}
		if err := late.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		published(t, f, third, nil)
	})
}

// TestComplete_NotTheSameObject: what somebody else put there is not taken for the upload's.
func TestComplete_NotTheSameObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, parts := twoParts(t, s)
		other := *s
		other.ended = newEndings()
		if err := u.Abort(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.replace("a", "onetwo") // a single put: its tag differs
		if _, err := other.ResumeUpload(t.Context(), "a", u.ID()); !errors.Is(err, objstore.ErrNotFound) {
			t.Errorf("resume: %v", err)
		}
		late := other.uploadOf("a", "p/a", u.ID())
		if _, err := late.Complete(t.Context(), parts); !errors.Is(err, objstore.ErrNotFound) {
			t.Errorf("complete: %v", err)
		}
	})
}

// okWithout calls an upload completed that is not.
func okWithout(_ int, w http.ResponseWriter, _ *http.Request) bool {
	reply(w, `<CompleteMultipartUploadResult><ETag>"x-2"</ETag></CompleteMultipartUploadResult>`)
	return true
}

// TestComplete_AppearsLater: a server may say so while it is still at work for another request.
func TestComplete_AppearsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, parts := twoParts(t, s)
		f.on("Complete", okWithout)
		time.AfterFunc(time.Minute, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			tag := s.wholeOf(parts).tag
			f.put("p/a", []byte("onetwo"), tag)
		})
		begin := time.Now()
		info, err := u.Complete(t.Context(), parts)
		published(t, f, info, err)
		if d := time.Since(begin); d < time.Minute || d > 70*time.Second {
			t.Errorf("after %s", d)
		}
	})
}

func TestComplete_NeverAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, parts := twoParts(t, s)
		f.on("Complete", okWithout)
		_, err := u.Complete(t.Context(), parts)
		wantErr(t, err, objstore.ErrTemporary)
		f.replace("a", "another")
		if info, err := u.Complete(t.Context(), parts); err != nil || info.Size != 6 {
			t.Errorf("replaced since: %+v, error %v", info, err)
		}
	})
}

// TestComplete_WrongChecksum: an object that is not what its parts make is reported.
func TestComplete_WrongChecksum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, parts := twoParts(t, s)
		f.on("Complete", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			reply(w, "<CompleteMultipartUploadResult><ChecksumCRC64NVME>"+crcText(1)+
				"</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>")
			return true
		})
		_, err := u.Complete(t.Context(), parts)
		wantErr(t, err, errServer)
	})
}

func TestComplete_SendsTheChecksum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, parts := twoParts(t, s)
		f.on("Complete", func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			if got := r.Header.Get("X-Amz-Checksum-Crc64nvme"); got != crcText(sumOf([]byte("onetwo"))) {
				t.Errorf("header %q", got)
			}
			return false
		})
		// Another process has the parts' tags only, and they have the checksums in them.
		other := *s
		other.ended = newEndings()
		again, err := other.ResumeUpload(t.Context(), "a", u.ID())
		if err != nil {
			t.Fatal(err)
		}
		info, err := again.Complete(t.Context(), parts)
		published(t, f, info, err)
	})
}

func TestComplete_EqualParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t, func(o *Options) { o.EqualParts = true })
		u, parts := twoParts(t, s)
		p, err := u.Part(t.Context(), 2, strings.NewReader("four"), 4)
		if err != nil {
			t.Fatal(err)
		}
		third, err := u.Part(t.Context(), 3, strings.NewReader("x"), 1)
		if err != nil {
			t.Fatal(err)
		}
		_, err = u.Complete(t.Context(), []objstore.Part{parts[0], p, third})
		wantErr(t, err, objstore.ErrPart)
		if _, err := u.Complete(t.Context(), []objstore.Part{parts[0], p}); err != nil || f.seen("Complete") != 1 {
			t.Errorf("%v after %d calls", err, f.seen("Complete"))
		}
	})
}

func TestAbort_LostReplyAndLateParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, parts := twoParts(t, s)
		f.lose("Abort", 2)
		if err := u.Abort(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := u.Complete(t.Context(), parts); !errors.Is(err, objstore.ErrNotFound) {
			t.Errorf("complete: %v", err)
		}
		if len(f.uploads) != 0 {
			t.Errorf("left %v", f.uploads)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, _ := twoParts(t, s)
		kept := f.uploads[u.ID()]
		f.on("Abort", func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n < 3 { // a part that came late brings the upload back
				w.WriteHeader(204)
			}
			return n < 3
		})
		if err := u.Abort(t.Context()); err != nil || len(f.uploads) != 0 {
			t.Errorf("left %v of %v, error %v", f.uploads, kept, err)
		}
	})
}

// TestAbort_EndsParts: a part that hangs at a dead server does not keep Abort waiting.
func TestAbort_EndsParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, err := s.NewUpload(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		f.on("Part", always(503, "ServiceUnavailable"))
		part := make(chan error, 1)
		go func() {
			_, err := u.Part(t.Context(), 1, strings.NewReader("x"), 1)
			part <- err
		}()
		time.Sleep(time.Minute)
		begin := time.Now()
		if err := u.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		wantErr(t, <-part, objstore.ErrNotFound)
		if d := time.Since(begin); d > time.Second {
			t.Errorf("after %s", d)
		}
	})
}

func TestCopyPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.replace("src é", "0123456789")
		u, _ := twoParts(t, s)
		f.on("Copy", func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 1 { // replaced between the look and the copy
				f.replace("src é", "abcdefghij")
			}
			return false
		})
		p, err := u.CopyPart(t.Context(), 2, "src é", 2, 5)
		if err == nil {
			_, err = u.Complete(t.Context(), []objstore.Part{p})
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := f.object("a"); string(got) != "cdefg" || f.seen("Copy") != 2 || f.seen("Get") != 0 {
			t.Errorf("%q after %d copies", got, f.seen("Copy"))
		}
	})
}

// TestCopyPart_Short: a short range of a long object is copied on the server.
func TestCopyPart_Short(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		s.caps.MinPart = 6
		f.replace("src", "0123456789")
		u, _ := twoParts(t, s)
		p, err := u.CopyPart(t.Context(), 2, "src", 8, 2)
		if err == nil {
			_, err = u.Complete(t.Context(), []objstore.Part{p})
		}
		if got, _ := f.object("a"); err != nil || string(got) != "89" || f.seen("Get") != 0 {
			t.Errorf("%q, error %v, %d reads", got, err, f.seen("Get"))
		}
	})
}

// TestCopyPart_Damaged: what travels through the store and is damaged on its way there is not published.
func TestCopyPart_Damaged(t *testing.T) {
	for _, bad := range []int{1, 2} { // the first reading or the second
		synctest.Test(t, func(t *testing.T) {
			f, s := newFake(t)
			s.caps.MinPart = 10
			f.replace("src", "0123456789")
			u, _ := twoParts(t, s)
			f.on("Get", func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n != bad {
					return false
				}
				data, _ := f.object("src")
				w.Header().Set("Etag", `"`+tagOf(data)+`"`)
				w.Header().Set("Content-Range", "bytes 2-6/10")
				w.Header().Set("Content-Length", "5")
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write([]byte("2x456"))
				return true
			})
			p, err := u.CopyPart(t.Context(), 2, "src", 2, 5)
			if err == nil {
				_, err = u.Complete(t.Context(), []objstore.Part{p})
			}
			if got, _ := f.object("a"); err != nil || string(got) != "23456" {
				t.Errorf("reading %d: %q, error %v", bad, got, err)
			}
		})
	}
}

// TestCopyPart_Carries: ranges of short objects, and any where the server can't copy, travel through the store.
func TestCopyPart_Carries(t *testing.T) {
	for name, change := range map[string]func(f *fake, s *Store){
		"short":    func(_ *fake, s *Store) { s.caps.MinPart = 10 },
		"unable":   func(_ *fake, s *Store) { s.caps.CopyPart = false },
		"refusing": func(f *fake, _ *Store) { f.on("Copy", always(501, "NotImplemented")) },
	} {
		synctest.Test(t, func(t *testing.T) {
			f, s := newFake(t)
			f.replace("src", "0123456789")
			u, _ := twoParts(t, s)
			change(f, s)
			p, err := u.CopyPart(t.Context(), 2, "src", 2, 5)
			if err == nil {
				_, err = u.Complete(t.Context(), []objstore.Part{p})
			}
			if got, _ := f.object("a"); err != nil || string(got) != "23456" || f.seen("Get") != 2 {
				t.Errorf("%s: %q, error %v", name, got, err)
			}
		})
	}
}

// TestCopyPart_Whole: an object that is too short for a part is copied on the server all the same.
func TestCopyPart_Whole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		s.caps.MinPart = 16
		f.replace("src", "0123456789")
		u, _ := twoParts(t, s)
		p, err := u.CopyPart(t.Context(), 1, "src", 0, 10)
		if err == nil {
			_, err = u.Complete(t.Context(), []objstore.Part{p})
		}
		if got, _ := f.object("a"); err != nil || string(got) != "0123456789" || f.seen("Get") != 0 {
			t.Errorf("%q, error %v, %d reads", got, err, f.seen("Get"))
		}
	})
}

// TestCopyPart_LooksOnce: many ranges of one source cost one look at it.
func TestCopyPart_LooksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.replace("src", "0123456789")
		u, _ := twoParts(t, s)
		for n := range 5 {
			if _, err := u.CopyPart(t.Context(), n+1, "src", int64(n), 2); err != nil {
				t.Fatal(err)
			}
		}
		if f.seen("Head") != 1 {
			t.Errorf("%d looks", f.seen("Head"))
		}
	})
}

func TestUploads_Pages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.on("ListUploads", func(n int, w http.ResponseWriter, r *http.Request) bool {
			q := r.URL.Query()
			if n > 1 && (q.Get("key-marker") != "p/k é" || q.Get("upload-id-marker") != fmt.Sprint(n-1)) {
				t.Errorf("page %d begins at %s", n, r.URL)
			}
			reply(w, fmt.Sprintf(`<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>%t</IsTruncated>
				<NextKeyMarker>p/k+%%C3%%A9</NextKeyMarker><NextUploadIdMarker>%d</NextUploadIdMarker>
				<Upload><Key>p/k+%%C3%%A9</Key><UploadId>%d</UploadId><Initiated>2020-01-01T00:00:00Z</Initiated></Upload>
				<Upload><Key>p/.tote-probe-x</Key><UploadId>probe</UploadId></Upload>
				<Upload><Key>other</Key><UploadId>x</UploadId></Upload></ListMultipartUploadsResult>`, n < 3, n, n))
			return true
		})
		n := 0
		for u, err := range s.Uploads(t.Context()) {
			n++
			if err != nil || u.Key != "k é" || u.ID != fmt.Sprint(n) || u.Started.Year() != 2020 {
				t.Errorf("%d: %+v, error %v", n, u, err)
			}
		}
		if n != 3 {
			t.Errorf("%d uploads", n)
		}
		f.on("ListUploads", func(n int, w http.ResponseWriter, r *http.Request) bool {
			reply(w, "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>")
			return true
		})
		for _, err := range s.Uploads(t.Context()) {
			wantErr(t, err, errServer)
		}
	})
}

func TestEndings_AreBounded(t *testing.T) {
	e := newEndings()
	for i := range 3 * maxEnded {
		e.add(fmt.Sprint(i), ending{completed: true})
		e.add(fmt.Sprint(i), ending{completed: true})
	}
	if len(e.byID) != maxEnded || len(e.order) != maxEnded {
		t.Errorf("%d and %d are kept", len(e.byID), len(e.order))
	}
	if _, ok := e.find(fmt.Sprint(3*maxEnded - 1)); !ok {
		t.Error("the last one is forgotten")
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"": false, ".": false, "..": false, "...": false, "a/b": false, "../x": false, `a\b`: false, "a b": false, "a\n": false, "é": false,
		strings.Repeat("x", 1025): false,
		"2~abc":                   true, "a.b_c-d": true, "VXBs+b2Fk=": true, "0e713d8b-a2bf-40c8": true,
	} {
		if validID(id) != want {
			t.Errorf("%q: got %t", id, !want)
		}
	}
}

func TestUpload_Cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		u, _ := twoParts(t, s)
		f.on("Part", always(503, "ServiceUnavailable"))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		_, err := u.Part(ctx, 1, strings.NewReader("x"), 1)
		wantErr(t, err, context.Canceled)
		if errors.Is(err, objstore.ErrNotFound) {
			t.Errorf("it looks like an aborted upload: %v", err)
		}
	})
}
