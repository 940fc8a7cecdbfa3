package s3test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Gateway is a running S3 server with a bucket in it.
type Gateway struct {
	Endpoint  string // as http://127.0.0.1:12345
	Bucket    string
	AccessKey string
	SecretKey string
	Region    string
	Dir       string // where a versitygw keeps its objects; "" on another server
	Pid       int    // of the child process; 0 on another server

	base string // everything of this test lies below it; "" is the whole bucket
}

// Start runs a server for the length of the test, and makes a bucket. Without a binary the test is skipped, or
// fails where CI or TOTE_MUST_RUN says that nothing may be skipped.
func Start(t testing.TB) *Gateway {
	t.Helper()
	if endpoint := os.Getenv("TOTE_TEST_S3"); endpoint != "" {
		return other(t, endpoint)
	}
	g := launch(t)
	g.makeBucket(t)
	return g
}

// other uses a server that somebody else runs.
func other(t testing.TB, endpoint string) *Gateway {
	g := &Gateway{
		Endpoint:  strings.TrimSuffix(endpoint, "/"),
		Bucket:    getenv("TOTE_TEST_S3_BUCKET", "tote-test"),
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		Region:    getenv("AWS_REGION", "us-east-1"),
		base:      "t-" + strings.ToLower(rand.Text()[:12]),
	}
	if g.AccessKey == "" || g.SecretKey == "" {
		t.Fatal("TOTE_TEST_S3 is set, but AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not")
	}
	g.makeBucket(t)
	t.Cleanup(func() { g.empty(t) })
	return g
}

func getenv(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// URL is the store URL of a prefix of the bucket; "" is the whole of it.
func (g *Gateway) URL(prefix string) string { return g.URLAt(g.Endpoint, prefix) }

// URLAt is URL through another endpoint, such as a proxy in front of the server.
func (g *Gateway) URLAt(endpoint, prefix string) string {
	q := url.Values{"endpoint": {endpoint}, "region": {g.Region}, "path-style": {"true"}}
	u := url.URL{Scheme: "s3", Host: g.Bucket, Path: "/" + g.Prefix(prefix), RawQuery: q.Encode()}
	return u.String()
}

// Prefix is where in the bucket the objects of URL(prefix) lie.
func (g *Gateway) Prefix(prefix string) string {
	if g.base == "" || prefix == "" {
		return g.base + prefix
	}
	return g.base + "/" + prefix
}

// Env is the environment that gives a child process the credentials, and keeps it from any others.
func (g *Gateway) Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + g.AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + g.SecretKey,
		"AWS_REGION=" + g.Region,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// Credentials are those of Env for a client in this process.
func (g *Gateway) Credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(g.AccessKey, g.SecretKey, "")
}

// Client is a plain client of the server, to look at the bucket behind a store's back.
func (g *Gateway) Client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(g.Endpoint),
		Region:       g.Region,
		Credentials:  g.Credentials(),
		UsePathStyle: true,
	})
}

func (g *Gateway) makeBucket(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := g.Client().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &g.Bucket})
	var mine *types.BucketAlreadyOwnedByYou
	var exists *types.BucketAlreadyExists
	if err != nil && !errors.As(err, &mine) && !errors.As(err, &exists) {
		t.Fatalf("make bucket %s at %s: %v", g.Bucket, g.Endpoint, err)
	}
}

// empty removes what a test left below its prefix.
func (g *Gateway) empty(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := errors.Join(g.abortUploads(ctx), g.deleteObjects(ctx)); err != nil {
		t.Logf("empty %s/%s: %v", g.Bucket, g.base, err)
	}
}

func (g *Gateway) deleteObjects(ctx context.Context) error {
	c := g.Client()
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: &g.Bucket, Prefix: aws.String(g.base + "/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			if _, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &g.Bucket, Key: o.Key}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *Gateway) abortUploads(ctx context.Context) error {
	c := g.Client()
	pages := s3.NewListMultipartUploadsPaginator(c, &s3.ListMultipartUploadsInput{Bucket: &g.Bucket, Prefix: aws.String(g.base + "/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, u := range page.Uploads {
			in := &s3.AbortMultipartUploadInput{Bucket: &g.Bucket, Key: u.Key, UploadId: u.UploadId}
			if _, err := c.AbortMultipartUpload(ctx, in); err != nil {
				return err
			}
		}
	}
	return nil
}
