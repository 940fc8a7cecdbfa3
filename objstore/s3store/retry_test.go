package s3store

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"

	"tote/objstore"
)

func putText(ctx context.Context, s *Store, key, text string) error {
	_, err := s.Put(ctx, key, strings.NewReader(text), int64(len(text)))
	return err
}

func wantErr(t *testing.T, err error, wants ...error) {
	t.Helper()
	for _, want := range wants {
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

// always answers every call of an operation with an error.
func always(status int, code string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		fail(w, status, code)
		return true
	}
}

// first answers the first calls of an operation with an error.
func first(calls, status int, code string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n <= calls {
			fail(w, status, code)
		}
		return n <= calls
	}
}

func TestRetry_PatienceEnds(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
	}{{500, "InternalError"}, {503, "ServiceUnavailable"}, {502, ""}, {409, "OperationAborted"}} {
		synctest.Test(t, func(t *testing.T) {
			f, s := newFake(t)
			f.on("Put", always(c.status, c.code))
			begin := time.Now()
			err := putText(t.Context(), s, "a", "hello")
			wantErr(t, err, objstore.ErrTemporary)
			if c.code != "" && !strings.Contains(err.Error(), c.code) {
				t.Errorf("the reason is missing: %v", err)
			}
			if d := time.Since(begin); d < 5*time.Minute || d > 5*time.Minute+30*time.Second {
				t.Errorf("%d %s: gave up after %s", c.status, c.code, d)
			}
			// A backoff of at most 3 s makes at least 100 attempts, more than the SDK's quota would allow.
			if n := f.seen("Put"); n < 100 || n > 300 {
				t.Errorf("%d %s: %d attempts", c.status, c.code, n)
			}
		})
	}
}

func TestRetry_CallersDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.on("Head", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(503)
			return true
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		begin := time.Now()
		_, err := s.Stat(ctx, "a")
		wantErr(t, err, objstore.ErrTemporary, context.DeadlineExceeded)
		if d := time.Since(begin); d != 10*time.Minute {
			t.Errorf("gave up after %s", d)
		}

		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		begin = time.Now()
		_, err = s.Stat(ctx, "a")
		wantErr(t, err, context.Canceled)
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("cancelled after %s", d)
		}
	})
}

func TestRetry_Recovers(t *testing.T) {
	for _, code := range []string{"SlowDown", "InternalError", "RequestTimeout", "IncompleteBody"} {
		synctest.Test(t, func(t *testing.T) {
			f, s := newFake(t)
			f.on("Put", first(5, 503, code))
			if err := putText(t.Context(), s, "a", "hello"); err != nil {
				t.Error(err)
			}
			if got, _ := f.object("a"); string(got) != "hello" || f.seen("Put") != 6 {
				t.Errorf("%s: %q after %d attempts", code, got, f.seen("Put"))
			}
		})
	}
}

func TestRetry_NotWhatCannotHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		for _, c := range []struct {
			status int
			code   string
			want   error
		}{
			{403, "AccessDenied", objstore.ErrDenied}, {403, "RequestTimeTooSkewed", objstore.ErrDenied}, {400, "KeyTooLongError", objstore.ErrKey},
			{507, "InsufficientStorage", objstore.ErrNoSpace}, {403, "QuotaExceeded", objstore.ErrNoSpace}, {404, "NoSuchBucket", errNoBucket},
			{501, "NotImplemented", errUnsupported}, {400, "Whatever", errServer}, {401, "", objstore.ErrDenied},
		} {
			f.on("Put", always(c.status, c.code))
			before := f.seen("Put")
			err := putText(t.Context(), s, "a", "hello")
			wantErr(t, err, c.want)
			if n := f.seen("Put") - before; n != 1 {
				t.Errorf("%s: %d attempts", c.code, n)
			}
			if errors.Is(err, objstore.ErrNotFound) {
				t.Errorf("%s looks like a missing object: %v", c.code, err)
			}
		}
	})
}

// TestRetry_AnswersThatBreakOff: an answer that ends in its middle is none, whatever it began to say.
func TestRetry_AnswersThatBreakOff(t *testing.T) {
	const whole = "<Error><Code>NoSuchUpload</Code><Message>long enough to be cut</Message></Error>"
	for _, status := range []int{200, 403, 404, 500} {
		for cut := 0; cut < len(whole); cut += 7 {
			synctest.Test(t, func(t *testing.T) {
				f, s := newFake(t)
				f.replace("a", "x")
				f.on("List", func(n int, w http.ResponseWriter, _ *http.Request) bool {
					if n > 2 {
						return false
					}
					w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
					w.WriteHeader(status)
					_, _ = io.WriteString(w, whole[:cut])
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				})
				keys, err := listed(t, s, "", "")
				if err != nil || len(keys) != 1 || f.seen("List") != 3 {
					t.Errorf("status %d cut at %d: %q after %d calls, error %v", status, cut, keys, f.seen("List"), err)
				}
			})
		}
	}
}

// TestRetry_BlackHole: nothing moves for a minute, and half a minute later at most the work is done.
func TestRetry_BlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		begin := time.Now()
		f.mu.Lock()
		f.hook = func(int, string, http.ResponseWriter, *http.Request) bool {
			if d := time.Minute - time.Since(begin); d > 0 {
				time.Sleep(d) // fake time; the client has given up by then
				return true
			}
			return false
		}
		f.mu.Unlock()
		if err := putText(t.Context(), s, "a", "hello"); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d < time.Minute || d > 90*time.Second {
			t.Errorf("done after %s", d)
		}
	})
}

// TestRetry_SlowServerIsLeftAlone: what moves now and then is not interrupted.
func TestRetry_SlowServerIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(t)
		f.on("Get", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "20")
			w.Header().Set("Etag", `"x"`)
			for range 20 {
				time.Sleep(15 * time.Second)
				_, err := w.Write([]byte("x"))
				if err = errors.Join(err, http.NewResponseController(w).Flush()); err != nil {
					t.Error(err)
				}
			}
			return true
		})
		body, err := s.Get(t.Context(), "a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		if err != nil || len(data) != 20 || f.seen("Get") != 1 {
			t.Errorf("%d bytes in %d requests, error %v", len(data), f.seen("Get"), err)
		}
		body.Close()
	})
}

func TestBackoff(t *testing.T) {
	for attempt, most := range map[int]time.Duration{0: 50 * time.Millisecond, 1: 50 * time.Millisecond, 2: 100 * time.Millisecond, 7: 3 * time.Second, 1000: 3 * time.Second} {
		for range 100 {
			if d := backoff(attempt); d < most/2 || d > most {
				t.Fatalf("attempt %d waits %s", attempt, d)
			}
		}
	}
}

func TestGauge(t *testing.T) {
	slow := &smithy.GenericAPIError{Code: "SlowDown"}
	g := &gauge{}
	for i := range 10_000 {
		var err error
		if i%10 == 0 {
			err = slow
		}
		if g.IsErrorThrottle(err).Bool() {
			t.Fatal("one call in ten slows all of them down")
		}
	}
	for range 20 {
		if g.IsErrorThrottle(slow).Bool() {
			return
		}
	}
	t.Error("a server that always says so is not believed")
}
