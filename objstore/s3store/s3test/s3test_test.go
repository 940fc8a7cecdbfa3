package s3test_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore/s3store/s3test"
)

func TestStart(t *testing.T) {
	var pid int
	t.Run("Running", func(t *testing.T) {
		g := s3test.Start(t)
		pid = g.Pid
		key := g.Prefix("a")
		_, err := g.Client().PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &g.Bucket, Key: &key, Body: strings.NewReader("hello"),
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := g.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &g.Bucket, Key: &key})
		if err != nil || aws.ToInt64(out.ContentLength) != 5 {
			t.Errorf("head says %+v, error %v", out, err)
		}
	})
	if pid != 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		t.Errorf("process %d outlived its test", pid)
	}
}

func TestGateway_URL(t *testing.T) {
	g := &s3test.Gateway{Endpoint: "http://127.0.0.1:1", Bucket: "b", AccessKey: "k", SecretKey: "s", Region: "r"}
	u, err := url.Parse(g.URL("a b/c"))
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "s3" || u.Host != "b" || u.Path != "/a b/c" {
		t.Errorf("got %s", u)
	}
	q := u.Query()
	if q.Get("endpoint") != "http://127.0.0.1:1" || q.Get("region") != "r" || q.Get("path-style") != "true" {
		t.Errorf("got %s", u)
	}
	if env := g.Env(); !slices.Contains(env, "AWS_ACCESS_KEY_ID=k") || !slices.Contains(env, "AWS_SECRET_ACCESS_KEY=s") {
		t.Errorf("got %q", env)
	}
}
