package s3store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// fake is a small S3 server in memory, reached through pipes, so that it and the store's clocks can live in a
// synctest bubble. A hook may answer in its place.
type fake struct {
	t       testing.TB
	conn    chan net.Conn
	running sync.WaitGroup // calls; a bubble may not end before them

	mu      sync.Mutex
	objects map[string]fakeObject
	uploads map[string]map[int][]byte
	calls   []string                                                                // "PutObject key", …
	hook    func(n int, op string, w http.ResponseWriter, r *http.Request) bool     // true: it has answered
	after   func(n int, op string, w http.ResponseWriter, r *http.Request) net.Conn // a conn to close instead of answering
	count   map[string]int
}

type fakeObject struct {
	data []byte
	etag string
}

// newFake starts a server and a store on it in a synctest bubble. Both end with the test.
func newFake(t testing.TB, change ...func(o *Options)) (*fake, *Store) {
	f := &fake{
		t: t, conn: make(chan net.Conn), objects: map[string]fakeObject{}, uploads: map[string]map[int][]byte{}, count: map[string]int{},
	}
	srv := &http.Server{Handler: f, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	l := &pipeListener{conns: f.conn, done: make(chan struct{})}
	go srv.Serve(l)
	opts := Options{
		Bucket: "b", Prefix: "p", Endpoint: "http://fake.test", Region: "r", PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&opts)
	}
	opts = opts.withDefaults()
	tr := &http.Transport{}
	transport(opts.Stall)(tr)
	tr.Proxy = nil
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		client, server := net.Pipe()
		select {
		case f.conn <- server:
			return watch(tcpLike{client}, opts.Stall), nil
		case <-l.done:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	opts.client = &http.Client{Transport: tr}
	cfg := aws.Config{Region: "r", Credentials: opts.Credentials, HTTPClient: opts.client}
	s := newStore(opts, cfg)
	s.caps = Capabilities{Checksums: true, UploadChecksums: true, ConditionalPut: true, CopyPart: true, MinPart: 1, MultipartTag: true}
	t.Cleanup(func() {
		s.Close()
		srv.Close()
		f.running.Wait()
		time.Sleep(time.Second) // what the server waits before it closes; in a bubble that takes no time
	})
	return f, s
}

// tcpLike is a pipe with the errors of a network.
type tcpLike struct{ net.Conn }

func (c tcpLike) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, tcpErr(err)
}

func (c tcpLike) SetDeadline(t time.Time) error { return tcpErr(c.Conn.SetDeadline(t)) }

func tcpErr(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return err
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// opName tells the calls apart that the store makes.
func opName(r *http.Request) string {
	q := r.URL.Query()
	object := strings.Count(r.URL.Path, "/") > 1 && !strings.HasSuffix(r.URL.Path, "/b/")
	switch m := r.Method; {
	case !object && q.Has("uploads"):
		return "ListUploads"
	case !object:
		return "List"
	case m == http.MethodPost && q.Has("uploads"):
		return "Create"
	case m == http.MethodPost:
		return "Complete"
	case m == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		return "Copy"
	case m == http.MethodPut && q.Has("uploadId"):
		return "Part"
	case m == http.MethodDelete && q.Has("uploadId"):
		return "Abort"
	case m == http.MethodGet && q.Has("uploadId"):
		return "ListParts"
	}
	return map[string]string{http.MethodPut: "Put", http.MethodGet: "Get", http.MethodHead: "Head", http.MethodDelete: "Delete"}[r.Method]
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.running.Add(1)
	defer f.running.Done()
	op, key := opName(r), strings.TrimPrefix(r.URL.Path, "/b/")
	f.mu.Lock()
	f.count[op]++
	n := f.count[op]
	f.calls = append(f.calls, op)
	hook, after := f.hook, f.after
	f.mu.Unlock()
	if hook != nil && hook(n, op, w, r) {
		return
	}
	if after != nil {
		if c := after(n, op, w, r); c != nil {
			f.do(op, key, &deaf{}, r)
			c.Close()
			return
		}
	}
	f.do(op, key, w, r)
}

// deaf swallows an answer.
type deaf struct{ h http.Header }

func (d *deaf) Header() http.Header {
	if d.h == nil {
		d.h = http.Header{}
	}
	return d.h
}
func (d *deaf) Write(p []byte) (int, error) { return len(p), nil }
func (d *deaf) WriteHeader(int)             {}

func (f *fake) do(op, key string, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := r.URL.Query().Get("uploadId")
	number, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
	parts, open := f.uploads[id]
	if id != "" && !open {
		fail(w, 404, "NoSuchUpload")
		return
	}
	if crc := r.Header.Get("X-Amz-Checksum-Crc64nvme"); crc != "" && op != "Complete" && crc != crcText(sumOf(body)) {
		fail(w, 400, "BadDigest")
		return
	}
	switch op {
	case "Put":
		if _, there := f.objects[key]; there && r.Header.Get("If-None-Match") == "*" {
			fail(w, 412, "PreconditionFailed")
			return
		}
		w.Header().Set("Etag", f.put(key, body, tagOf(body)))
	case "Get", "Head":
		f.get(op, key, w, r)
	case "Delete":
		delete(f.objects, key)
		w.WriteHeader(204)
	case "List":
		f.list(w, r)
	case "ListUploads":
		reply(w, "<ListMultipartUploadsResult></ListMultipartUploadsResult>")
	case "Create":
		id := fmt.Sprintf("upload-%d", f.count["Create"])
		f.uploads[id] = map[int][]byte{}
		reply(w, "<InitiateMultipartUploadResult><UploadId>"+id+"</UploadId></InitiateMultipartUploadResult>")
	case "Part":
		parts[number] = body
		w.Header().Set("Etag", `"`+tagOf(body)+`"`)
	case "Copy":
		f.copy(w, r, parts, number)
	case "ListParts":
		f.listParts(w, parts)
	case "Complete":
		f.complete(key, id, body, w)
	case "Abort":
		delete(f.uploads, id)
		w.WriteHeader(204)
	}
}

func (f *fake) put(key string, data []byte, etag string) string {
	f.objects[key] = fakeObject{data, etag}
	return `"` + etag + `"`
}

func (f *fake) get(op, key string, w http.ResponseWriter, r *http.Request) {
	o, ok := f.objects[key]
	if !ok {
		fail(w, 404, "NoSuchKey")
		return
	}
	w.Header().Set("Etag", `"`+o.etag+`"`)
	if m := r.Header.Get("If-Match"); m != "" && m != `"`+o.etag+`"` {
		fail(w, 412, "PreconditionFailed")
		return
	}
	if op == "Head" {
		w.Header().Set("X-Amz-Checksum-Crc64nvme", crcText(sumOf(o.data)))
		w.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
		w.Header().Set("Last-Modified", time.Unix(1700000000, 0).UTC().Format(http.TimeFormat))
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(o.data)))
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(f.objects)) {
		if strings.HasPrefix(key, q.Get("prefix")) && key > q.Get("start-after") {
			fmt.Fprintf(&b, "<Contents><Key>%s</Key><Size>%d</Size><LastModified>2020-01-01T00:00:00Z</LastModified></Contents>", key, len(f.objects[key].data))
		}
	}
	reply(w, "<ListBucketResult>"+b.String()+"</ListBucketResult>")
}

func (f *fake) copy(w http.ResponseWriter, r *http.Request, parts map[int][]byte, number int) {
	name, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	if err != nil {
		f.t.Error(err)
	}
	src, ok := f.objects[strings.TrimPrefix(name, "b/")]
	if !ok {
		fail(w, 404, "NoSuchKey")
		return
	}
	if m := r.Header.Get("X-Amz-Copy-Source-If-Match"); m != "" && m != `"`+src.etag+`"` {
		fail(w, 412, "PreconditionFailed")
		return
	}
	first, last := 0, len(src.data)-1
	if rng := r.Header.Get("X-Amz-Copy-Source-Range"); rng != "" {
		if _, err := fmt.Sscanf(rng, "bytes=%d-%d", &first, &last); err != nil {
			f.t.Error(err)
		}
	}
	parts[number] = src.data[first : last+1]
	reply(w, fmt.Sprintf("<CopyPartResult><ETag>%q</ETag><ChecksumCRC64NVME>%s</ChecksumCRC64NVME></CopyPartResult>",
		tagOf(parts[number]), crcText(sumOf(parts[number]))))
}

func (f *fake) listParts(w http.ResponseWriter, parts map[int][]byte) {
	var b strings.Builder
	for _, n := range slices.Sorted(maps.Keys(parts)) {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%q</ETag><Size>%d</Size></Part>", n, tagOf(parts[n]), len(parts[n]))
	}
	reply(w, "<ListPartsResult>"+b.String()+"</ListPartsResult>")
}

func (f *fake) complete(key, id string, body []byte, w http.ResponseWriter) {
	var list struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := xml.Unmarshal(body, &list); err != nil {
		f.t.Error(err)
	}
	var data, sums []byte
	for _, p := range list.Part {
		part, ok := f.uploads[id][p.PartNumber]
		if !ok || p.ETag != `"`+tagOf(part)+`"` {
			fail(w, 400, "InvalidPart")
			return
		}
		data = append(data, part...)
		sum := md5.Sum(part)
		sums = append(sums, sum[:]...)
	}
	delete(f.uploads, id)
	tag := f.put(key, data, fmt.Sprintf("%s-%d", tagOf(sums), len(list.Part)))
	reply(w, "<CompleteMultipartUploadResult><ETag>"+tag+"</ETag></CompleteMultipartUploadResult>")
}

func tagOf(data []byte) string {
	sum := md5.Sum(data)
	return hex.EncodeToString(sum[:])
}

func reply(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprint(w, xml.Header+body)
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>because of the test</Message></Error>", code)
}

// seen counts the calls of an operation so far.
func (f *fake) seen(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[op]
}

// on sets what answers the calls of one operation instead: n counts them from 1.
func (f *fake) on(op string, answer func(n int, w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = func(n int, got string, w http.ResponseWriter, r *http.Request) bool {
		return got == op && answer(n, w, r)
	}
}

// lose does the first calls of an operation and answers none of them.
func (f *fake) lose(op string, calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after = func(n int, got string, w http.ResponseWriter, r *http.Request) net.Conn {
		if got != op || n > calls {
			return nil
		}
		body, err := io.ReadAll(r.Body) // hijacking ends it
		if err != nil {
			f.t.Error(err)
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			f.t.Error(err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		return c
	}
}

func (f *fake) object(key string) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.objects["p/"+key]
	return o.data, ok
}

func (f *fake) replace(key, data string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put("p/"+key, []byte(data), tagOf([]byte(data)))
}
