package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"tote/objstore"
)

func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data)
	return data
}

// cutAt answers the n-th ranged read with the right header and only some of the bytes, and then does end.
func (f *fake) cutAt(calls, bytes int, end func(w http.ResponseWriter)) {
	f.on("Get", func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > calls {
			return false
		}
		data, _ := f.object("a")
		first, last := 0, len(data)-1
		if rng := r.Header.Get("Range"); rng != "" {
			if k, _ := fmt.Sscanf(rng, "bytes=%d-%d", &first, &last); k < 1 {
				f.t.Errorf("range %q", rng)
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(data)))
		}
		w.Header().Set("Etag", `"`+tagOf(data)+`"`)
		w.Header().Set("Content-Length", strconv.Itoa(last-first+1))
		if r.Header.Get("Range") != "" {
			w.WriteHeader(206)
		}
		_, _ = w.Write(data[first:min(first+bytes, last)])
		_ = http.NewResponseController(w).Flush()
		end(w)
		return true
	})
}

func hangUp(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func TestGet_GoesOnBehindBrokenConnections(t *testing.T) {
	for name, end := range map[string]func(http.ResponseWriter){
		"reset": hangUp,
		"stall": func(http.ResponseWriter) { time.Sleep(time.Minute); hangUp(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := newFake(t)
				data := noise(100_000)
				if _, err := s.Put(t.Context(), "a", bytes.NewReader(data), 100_000); err != nil {
					t.Fatal(err)
				}
				for _, r := range []struct{ off, n, want int64 }{{0, -1, 100_000}, {100, 50_000, 50_000}, {1, -1, 99_999}} {
					f.cutAt(f.seen("Get")+3, 7000, end)
					body, err := s.Get(t.Context(), "a", r.off, r.n)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(body)
					if err != nil || !bytes.Equal(got, data[r.off:r.off+r.want]) {
						t.Errorf("%d bytes at %d: got %d, error %v", r.n, r.off, len(got), err)
					}
					body.Close()
				}
				if f.seen("Get") != 12 {
					t.Errorf("%d requests", f.seen("Get"))
				}
			})
		})
	}
}

// TestGet_NeverMixes: what was replaced under an open reader ends with an error.
func TestGet_NeverMixes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.replace("a", string(noise(10_000)))
		f.cutAt(1, 5000, func(http.ResponseWriter) {
			f.replace("a", string(make([]byte, 10_000)))
			hangUp(nil)
		})
		body, err := s.Get(t.Context(), "a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		got, err := io.ReadAll(body)
		wantErr(t, err, io.ErrUnexpectedEOF, objstore.ErrChanged)
		if !bytes.Equal(got, noise(10_000)[:5000]) {
			t.Errorf("%d other bytes", len(got))
		}
		if _, again := body.Read(make([]byte, 1)); again != err {
			t.Errorf("then %v", again)
		}
	})
}

func TestGet_PatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.replace("a", "hello world")
		f.cutAt(1, 3, hangUp)
		body, err := s.Get(t.Context(), "a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		f.cutAt(1<<30, 0, hangUp)
		begin := time.Now()
		got, err := io.ReadAll(body)
		wantErr(t, err, io.ErrUnexpectedEOF, objstore.ErrTemporary)
		if d := time.Since(begin); string(got) != "hel" || d < 5*time.Minute || d > 6*time.Minute {
			t.Errorf("%q after %s", got, d)
		}
	})
}

func TestGet_CancelledBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.replace("a", "hello world")
		f.cutAt(1<<30, 3, hangUp)
		ctx, cancel := context.WithCancel(t.Context())
		body, err := s.Get(ctx, "a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		time.AfterFunc(time.Second, cancel)
		_, err = io.Copy(io.Discard, io.LimitReader(body, 3))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_, err = body.Read(make([]byte, 1))
		wantErr(t, err, context.Canceled)
	})
}

// TestGet_WrongAnswers: an answer that is not exactly what was asked for is an error before its first byte.
func TestGet_WrongAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		header map[string]string
		status int
		body   string
		want   error
	}{
		"other range":    {map[string]string{"Content-Range": "bytes 0-3/11"}, 206, "hell", errServer},
		"wrong length":   {map[string]string{"Content-Range": "bytes 1-4/11"}, 206, "hello", errServer},
		"range ignored":  {nil, 200, "hello world", errServer},
		"garbled range":  {map[string]string{"Content-Range": "bytes one-4/11"}, 206, "ello", errServer},
		"range past end": {map[string]string{"Content-Range": "bytes 1-4/3"}, 206, "ello", errServer},
		"shorter object": {map[string]string{"Content-Range": "bytes 1-2/3"}, 206, "el", objstore.ErrRange},
		"other tag":      {map[string]string{"Content-Range": "bytes 1-4/11", "Etag": `"other"`}, 206, "ello", objstore.ErrChanged},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := newFake(t)
				f.replace("a", "hel")
				f.on("Get", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
					w.Header().Set("Etag", `"tag"`)
					for name, value := range c.header {
						w.Header().Set(name, value)
					}
					w.WriteHeader(c.status)
					_, err := io.WriteString(w, c.body)
					if err != nil {
						t.Error(err)
					}
					return true
				})
				etag := "tag"
				if c.want == objstore.ErrRange {
					etag = ""
				}
				body, err := s.GetMatch(t.Context(), "a", etag, 1, 4)
				wantErr(t, err, c.want)
				if body != nil {
					t.Error("there is a body")
				}
			})
		})
	}
}

func TestGet_Refused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.replace("a", "hello")
		for _, c := range []struct {
			status int
			code   string
			want   error
		}{{404, "NoSuchKey", objstore.ErrNotFound}, {404, "NoSuchBucket", errNoBucket}, {403, "AccessDenied", objstore.ErrDenied}, {412, "PreconditionFailed", objstore.ErrChanged}} {
			f.on("Get", always(c.status, c.code))
			_, err := s.Get(t.Context(), "a", 0, -1)
			wantErr(t, err, c.want)
			if c.want != objstore.ErrNotFound && errors.Is(err, objstore.ErrNotFound) {
				t.Errorf("%s looks like a missing object", c.code)
			}
		}
	})
}

// TestGet_ClosedInTheMiddle: the connection is not read to its end, and nothing is left running.
func TestGet_ClosedInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.replace("a", string(noise(1<<20)))
		for range 3 {
			body, err := s.Get(t.Context(), "a", 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(body, make([]byte, 10)); err != nil {
				t.Error(err)
			}
			if err := errors.Join(body.Close(), body.Close()); err != nil {
				t.Error(err)
			}
			if _, err := body.Read(make([]byte, 1)); err == nil {
				t.Error("a closed body can be read")
			}
		}
	})
}
