package storetest

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"tote/objstore"
)

func presignerClauses() []clause {
	return []clause{
		{"AnyoneReads", presignGet},
		{"BadKeyIsErrKey", func(t *testing.T, s objstore.Store) {
			_, err := ability[objstore.Presigner](t, s).PresignGet(t.Context(), "../a", time.Minute)
			isErr(t, err, objstore.ErrKey)
		}},
	}
}

func putPresignerClauses() []clause {
	return []clause{
		{"AnyoneWritesOnce", presignPut},
		{"OtherSizeIsRefused", presignOtherSize},
		{"AnySize", presignAnySize},
		{"BadKeyIsErrKey", func(t *testing.T, s objstore.Store) {
			_, err := ability[objstore.PutPresigner](t, s).PresignPut(t.Context(), "../a", time.Minute, 1, "")
			isErr(t, err, objstore.ErrKey)
		}},
	}
}

// request makes an HTTP request as a stranger would and returns status and body.
func request(t *testing.T, p objstore.Presigned, rang string, data []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), p.Method, p.URL, bytes.NewReader(data))
	noErr(t, err)
	for name, value := range p.Header {
		req.Header.Set(name, value)
	}
	if rang != "" {
		req.Header.Set("Range", rang)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	noErr(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	noErr(t, err)
	return resp.StatusCode, got
}

func presignGet(t *testing.T, s objstore.Store) {
	for _, key := range []string{"dir/a", "a b+c%d?e&f", "日本語/図@_@1.png"} {
		data := pattern(1, 10_000)
		put(t, s, key, data)
		url, err := ability[objstore.Presigner](t, s).PresignGet(t.Context(), key, time.Minute)
		noErr(t, err)
		p := objstore.Presigned{URL: url, Method: http.MethodGet}
		if status, got := request(t, p, "", nil); status != http.StatusOK || !bytes.Equal(got, data) {
			t.Errorf("%s: status %d, %d bytes", key, status, len(got))
		}
		if status, got := request(t, p, "bytes=10-19", nil); status != http.StatusPartialContent || !bytes.Equal(got, data[10:20]) {
			t.Errorf("%s: status %d for a range, %d bytes", key, status, len(got))
		}
	}
}

func presignPut(t *testing.T, s objstore.Store) {
	for _, size := range []int{0, 1, 100_000} {
		data := pattern(1, size)
		p, err := ability[objstore.PutPresigner](t, s).PresignPut(t.Context(), "dir/ä b", time.Minute, int64(size), "image/png")
		noErr(t, err)
		if status, got := request(t, p, "", data); status != http.StatusOK {
			t.Errorf("status %d: %s", status, got)
		}
		holds(t, s, "dir/ä b", data)
	}
}

func presignAnySize(t *testing.T, s objstore.Store) {
	for _, size := range []int{0, 1, 100_000} {
		data := pattern(1, size)
		p, err := ability[objstore.PutPresigner](t, s).PresignPut(t.Context(), "a", time.Minute, -1, "")
		noErr(t, err)
		if status, got := request(t, p, "", data); status != http.StatusOK {
			t.Errorf("status %d: %s", status, got)
		}
		holds(t, s, "a", data)
	}
}

func presignOtherSize(t *testing.T, s objstore.Store) {
	p, err := ability[objstore.PutPresigner](t, s).PresignPut(t.Context(), "a", time.Minute, 10, "")
	noErr(t, err)
	for _, size := range []int{9, 11} {
		if status, _ := request(t, p, "", make([]byte, size)); status < 400 {
			t.Errorf("%d bytes: status %d", size, status)
		}
	}
	absent(t, s, "a")
}
