package davserver

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestGuardBodies: what no honest client sends is refused before anything behind the guard sees it.
func TestGuardBodies(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	bomb := `<!DOCTYPE z [<!ENTITY a "ha">`
	for i := range 30 {
		bomb += fmt.Sprintf(`<!ENTITY a%d "&a;&a;&a;">`, i)
	}
	bomb += `]><z>&a29;</z>`
	for _, c := range []struct {
		name, body string
		code       int
	}{
		{"empty", "", 200},
		{"plain", `<?xml version="1.0" encoding="UTF-8"?><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`, 200},
		{"byte order mark", "\ufeff<a/>", 200},
		{"comment and instruction", `<?x y?><!-- c --><a><?x y?><!-- c --></a>`, 200},
		{"64 levels", nested(64), 200},
		{"no namespace again", `<a xmlns="u:"><b xmlns=""/></a>`, 200},
		{"prefix declared on the element", `<p:a xmlns:p="u:" p:x="1"/>`, 200},
		{"xml:lang", `<a xml:lang="de"/>`, 200},
		{"entity", `<a>&lt;&#65;&amp;</a>`, 200},
		{"65 levels", nested(65), 400},
		{"deep", nested(100000), 400},
		{"deep, open only", strings.Repeat("<a>", 300000), 400},
		{"billion laughs", bomb, 400},
		{"doctype", `<!DOCTYPE a><a/>`, 400},
		{"external entity", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, 400},
		{"unknown entity", `<a>&x;</a>`, 400},
		{"empty prefix", `<a xmlns:p=""/>`, 400},
		{"undeclared prefix", `<p:a/>`, 400},
		{"undeclared attribute prefix", `<a p:x="1"/>`, 400},
		{"prefix out of scope", `<a><b xmlns:p="u:"/><p:c/></a>`, 400},
		{"unclosed", `<a><b></b>`, 400},
		{"crossed", `<a><b></a></b>`, 400},
		{"two roots", `<a/><b/>`, 400},
		{"no root", `  `, 400},
		{"text outside", `x<a/>`, 400},
		{"not XML", `hello`, 400},
		{"other encoding", "<?xml version=\"1.0\" encoding=\"latin1\"?><a/>", 400},
		{"namespaces spelt out", `<p:a xmlns:p="` + strings.Repeat("u", 100000) + `">` + strings.Repeat("<p:b/>", 1000) + `</p:a>`, 400},
		{"elements", "<a>" + strings.Repeat("<b/>", maxXMLElements-1) + "</a>", 200},
		{"more elements", "<a>" + strings.Repeat("<b/>", maxXMLElements) + "</a>", 400},
		{"exactly 1 MiB", "<a>" + strings.Repeat("x", 1<<20-7) + "</a>", 200},
		{"1 MiB and a byte", "<a>" + strings.Repeat("x", 1<<20-6) + "</a>", 413},
	} {
		for _, method := range []string{"PROPFIND", "PROPPATCH", "LOCK", "REPORT", "SEARCH"} {
			got, seen := guard(method, c.body)
			if got != c.code {
				t.Errorf("%s, %s: got %d, want %d", c.name, method, got, c.code)
			}
			if got == 200 && seen != c.body || got != 200 && seen != "" {
				t.Errorf("%s, %s: next saw %d bytes", c.name, method, len(seen))
			}
		}
	}
}

// guard sends a body through Guard and returns the status and what came out behind it.
func guard(method, body string) (code int, seen string) {
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen = string(b)
	})
	r := httptest.NewRequest(method, "/dav/", strings.NewReader(body))
	w := httptest.NewRecorder()
	Guard(next).ServeHTTP(w, r)
	return w.Code, seen
}

// TestGuardLeavesOthers: bodies of files are no business of the guard; MKCOL's is only bounded.
func TestGuardLeavesOthers(t *testing.T) {
	big := strings.Repeat("<a>", 1<<20)
	if code, seen := guard("PUT", big); code != 200 || seen != big {
		t.Errorf("PUT: %d", code)
	}
	if code, seen := guard("MKCOL", "afafafaf"); code != 200 || seen != "afafafaf" {
		t.Errorf("MKCOL: %d", code)
	}
	if code, _ := guard("MKCOL", big); code != 413 {
		t.Errorf("MKCOL with a large body: %d", code)
	}
}

// TestGuardEndless: 64 MiB, and 20 million open elements without a length, are answered early and in little memory.
func TestGuardEndless(t *testing.T) {
	s := newShare(t)
	for name, head := range map[string]string{
		"length":  "Content-Length: 67108864\r\n\r\n",
		"chunked": "Transfer-Encoding: chunked\r\n\r\n",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		conn, err := net.Dial("tcp", s.addr())
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = fmt.Fprintf(conn, "PROPFIND /dav/ HTTP/1.1\r\nHost: x\r\nX-Anonymous: yes\r\n%s", head)
		must(t, err)
		go func() { // until the server hangs up, or 60 MB
			chunk := strings.Repeat("<a>", 10000)
			if name == "chunked" {
				chunk = fmt.Sprintf("%x\r\n%s\r\n", len(chunk), chunk)
			}
			for range 2000 {
				if _, err := io.WriteString(conn, chunk); err != nil {
					return
				}
			}
		}()
		line := make([]byte, 12)
		if _, err := io.ReadFull(conn, line); err != nil || string(line) != "HTTP/1.1 413" {
			t.Errorf("%s: got %q, %v", name, line, err)
		}
		conn.Close()
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
			t.Errorf("%s: %d MiB were allocated", name, grown>>20)
		}
	}
}

// TestGuardIsLinear: a body that declares a prefix in every element costs no more than another.
func TestGuardIsLinear(t *testing.T) {
	var b strings.Builder
	b.WriteString("<a")
	for i := range 60000 {
		fmt.Fprintf(&b, ` xmlns:p%d="u"`, i)
	}
	b.WriteString(">")
	for range maxXMLElements - 1 {
		b.WriteString("<p1:b/>")
	}
	b.WriteString("</a>")
	start := time.Now()
	if err := checkXML([]byte(b.String())); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func FuzzCheckXML(f *testing.F) {
	f.Add([]byte(`<D:propfind xmlns:D="DAV:"><D:prop><x xmlns="u:" p:q="1" xmlns:p="v:"/></D:prop></D:propfind>`))
	f.Add([]byte("<a><b></a></b>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 1<<16 || checkXML(body) != nil {
			return
		}
		e, err := parseXML(strings.NewReader(string(body)))
		if err != nil || e == nil {
			return // another encoding
		}
		out := e.appendTo(nil) // what is kept must be acceptable itself, and mean the same
		if err := checkXML(out); err != nil {
			t.Fatalf("%q became %q: %v", body, out, err)
		}
		again, err := parseXML(strings.NewReader(string(out)))
		if err != nil || again.name != e.name || again.text() != e.text() {
			t.Fatalf("%q became %q", body, out)
		}
	})
}

// What was let through once is let through again without a second look, and memory for that is bounded.
func TestGuardRemembers(t *testing.T) {
	var b bodies
	first, err := b.check([]byte("<a/>"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := b.check([]byte("<a/>")); err != nil || again != first {
		t.Errorf("the same body again: %p, %v, want %p", again, err, first)
	}
	for range 2 {
		if _, err := b.check([]byte("<a>")); err == nil {
			t.Error("a broken body passed")
		}
	}
	for i := range 3 * maxKnown {
		if _, err := b.check(fmt.Appendf(nil, "<a>%d</a>", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.check(fmt.Appendf(nil, "<a>%s</a>", strings.Repeat("x", maxKnownBody))); err != nil {
		t.Fatal(err)
	}
	if len(b.known) > maxKnown {
		t.Errorf("%d bodies are remembered", len(b.known))
	}
	for text := range b.known {
		if len(text) > maxKnownBody {
			t.Errorf("a body of %d bytes is remembered", len(text))
		}
	}
}
