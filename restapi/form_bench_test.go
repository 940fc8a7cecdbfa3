package restapi

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkForm reads a form with a large file.
func BenchmarkForm(b *testing.B) {
	const size = 64 << 20
	file := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(file)
	head := crlf("--q", `Content-Disposition: form-data; name="object"`, "", `{"name":"f"}`, "--q", `Content-Disposition: form-data; name="file"; filename="f"`, "", "")
	h := http.Header{"Content-Type": {"multipart/form-data; boundary=q"}}
	buf := make([]byte, 256<<10)
	b.SetBytes(size)
	for b.Loop() {
		r := httptest.NewRequest("POST", "/", io.MultiReader(bytes.NewReader([]byte(head)), bytes.NewReader(file), bytes.NewReader([]byte(crlf("", "--q--", "")))))
		in, err := newBody(httptest.NewRecorder(), r, 2*size)
		if err != nil {
			b.Fatal(err)
		}
		f, err := readForm(h, in, 1<<20, size, func(_ *form, r io.Reader) error {
			_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf)
			return err
		})
		if err != nil || f.received != size {
			b.Fatal(f, err)
		}
	}
}
