package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore"
	"tote/objstore/s3store"
	"tote/objstore/s3store/s3proxy"
	"tote/objstore/s3store/s3test"
)

// TestOpen_LeavesNothing: the probe says what it found, once, and cleans up behind itself and its predecessors.
func TestOpen_LeavesNothing(t *testing.T) {
	g := s3test.Start(t)
	var log bytes.Buffer
	opts := options(t, g, "p")
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	begin := time.Now()
	s := open(t, opts)
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took %s", d)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "can.min-part=") {
		t.Errorf("log:\n%s", &log)
	}
	if c := s.Capabilities(); c.MinPart < 1 || !c.CopyPart {
		t.Errorf("found %+v", c)
	}
	if left := leftIn(t, g); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// leftIn lists the objects and open uploads below p.
func leftIn(t *testing.T, g *s3test.Gateway) (left []string) {
	t.Helper()
	prefix := g.Prefix("p")
	objects, err := g.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &g.Bucket, Prefix: &prefix})
	must(t, err)
	for _, o := range objects.Contents {
		left = append(left, "object "+strings.TrimPrefix(aws.ToString(o.Key), prefix))
	}
	uploads, err := g.Client().ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &g.Bucket, Prefix: &prefix})
	must(t, err)
	for _, u := range uploads.Uploads {
		left = append(left, "upload "+strings.TrimPrefix(aws.ToString(u.Key), prefix))
	}
	return left
}

// TestOpen_SweepsUpAtOnce: what the same owner left behind when it was killed goes at its next start, what somebody else may be using stays.
func TestOpen_SweepsUpAtOnce(t *testing.T) {
	g := s3test.Start(t)
	c := g.Client()
	for _, name := range []string{"me", "other", "men"} {
		key := g.Prefix("p/.tote-probe-" + name)
		_, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &g.Bucket, Key: &key})
		must(t, err)
		_, err = c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &g.Bucket, Key: &key, Body: strings.NewReader("x")})
		must(t, err)
	}
	opts := options(t, g, "p")
	opts.Owner = "me"
	open(t, opts)
	want := []string{"object /.tote-probe-men", "object /.tote-probe-other", "upload /.tote-probe-men", "upload /.tote-probe-other"}
	if left := leftIn(t, g); !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
}

// TestOpen_LostUpload: an upload that the probe was not told about is ended with the one that it knows.
func TestOpen_LostUpload(t *testing.T) {
	g := s3test.Start(t)
	p := proxy(t, g)
	p.Inject(0, s3proxy.Fault{Mode: s3proxy.Lost, Ops: []s3proxy.Op{s3proxy.CreateMultipartUpload}, Nth: 1})
	through(t, g, p, "p")
	if n := p.Count(s3proxy.CreateMultipartUpload); n.Faults != 1 {
		t.Errorf("%+v", n)
	}
	if left := leftIn(t, g); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestOpen_PartMinIsBelieved(t *testing.T) {
	opts := options(t, s3test.Start(t), "p")
	opts.PartMin, opts.EqualParts = 7<<20, true
	if l := open(t, opts).Limits(); l.MinPart != 7<<20 || !l.EqualParts {
		t.Errorf("got %+v", l)
	}
}

// TestOpen_Errors: what is wrong at the start is said in words that help.
func TestOpen_Errors(t *testing.T) {
	g := s3test.Start(t)
	for name, c := range map[string]struct {
		change func(o *s3store.Options)
		want   error
		says   string
	}{
		"bucket":    {func(o *s3store.Options) { o.Bucket = "no-such-bucket" }, nil, `there is no bucket "no-such-bucket"`},
		"key":       {func(o *s3store.Options) { o.Credentials = static("nobody", "x") }, objstore.ErrDenied, "AWS_ACCESS_KEY_ID"},
		"secret":    {func(o *s3store.Options) { o.Credentials = static(g.AccessKey, "x") }, objstore.ErrDenied, "AWS_SECRET_ACCESS_KEY"},
		"no server": {func(o *s3store.Options) { o.Endpoint = closedPort(t) }, objstore.ErrTemporary, "no s3 server answers at http://127.0.0.1:"},
		"https":     {func(o *s3store.Options) { o.Endpoint = strings.Replace(o.Endpoint, "http:", "https:", 1) }, nil, "correct endpoint="},
		"prefix":    {func(o *s3store.Options) { o.Prefix = "a//b" }, objstore.ErrKey, "the prefix"},
		"owner":     {func(o *s3store.Options) { o.Owner = "a/b" }, nil, "the owner"},
		"no bucket": {func(o *s3store.Options) { o.Bucket = "" }, nil, "no bucket is given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options(t, g, "p")
			c.change(&opts)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			s, err := s3store.Open(ctx, opts)
			if s != nil || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %q", err, c.says)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if errors.Is(err, objstore.ErrNotFound) {
				t.Errorf("it looks like a missing object: %v", err)
			}
		})
	}
}

func static(key, secret string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(key, secret, "")
}

func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return "http://" + l.Addr().String()
}

// TestOpen_OddServers: what answers may be no S3 server at all, or one that has its reasons.
func TestOpen_OddServers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header map[string]string
		body   string
		want   error
		says   string
	}{
		"web page":      {200, nil, "<html><body>hello</body></html>", nil, "no S3 server"},
		"web error":     {404, nil, "<html><body>not here</body></html>", nil, ""},
		"skewed clock":  {403, nil, "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>", objstore.ErrDenied, "clock"},
		"forbidden":     {403, nil, "<Error><Code>AccessDenied</Code></Error>", objstore.ErrDenied, "rights on the bucket"},
		"other region":  {301, nil, "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>", nil, "region="},
		"always broken": {500, nil, "", objstore.ErrTemporary, "no s3 server answers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer srv.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := s3store.Open(ctx, s3store.Options{
				Bucket: "b", Endpoint: srv.URL, PathStyle: true, Region: "r", Credentials: static("k", "s"), Logger: slog.New(slog.DiscardHandler),
			})
			if err == nil || !strings.Contains(err.Error(), c.says) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v and %q", err, c.want, c.says)
			}
		})
	}
}

func TestOpen_NoCredentials(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
	_, err := s3store.Open(t.Context(), s3store.Options{Bucket: "b", Endpoint: "http://127.0.0.1:1", Region: "r"})
	if !errors.Is(err, objstore.ErrDenied) || !strings.Contains(err.Error(), "there are no credentials") {
		t.Errorf("got %v", err)
	}
	_, err = s3store.Open(t.Context(), s3store.Options{Bucket: "b", Credentials: static("k", "s")})
	if err == nil || !strings.Contains(err.Error(), "region") {
		t.Errorf("got %v", err)
	}
}

// TestOpen_CredentialsFromTheEnvironment is the way of the command line.
func TestOpen_CredentialsFromTheEnvironment(t *testing.T) {
	g := s3test.Start(t)
	for _, kv := range g.Env() {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	opts := options(t, g, "env")
	opts.Credentials = nil
	s := open(t, opts)
	_, err := s.Put(t.Context(), "a", strings.NewReader("x"), 1)
	must(t, err)
}

// TestOpen_Faults: a server that is only having a bad time is opened all the same, and judged right.
func TestOpen_Faults(t *testing.T) {
	g := s3test.Start(t)
	want := open(t, options(t, g, "p")).Capabilities()
	p := proxy(t, g)
	for seed, mode := range []s3proxy.Mode{s3proxy.ServerError, s3proxy.SlowDown, s3proxy.Lost, s3proxy.Reset} {
		p.Inject(uint64(seed), s3proxy.Fault{Mode: mode, Share: 0.2})
		if got := through(t, g, p, "p").Capabilities(); got != want {
			t.Errorf("%s: got %+v, want %+v", mode, got, want)
		}
	}
}
