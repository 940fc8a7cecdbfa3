package s3op

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Server says where a bucket is.
type Server struct {
	Endpoint, Region, AccessKey, SecretKey, Bucket string
}

// Client works on one bucket.
type Client struct {
	s3       *s3.Client
	transfer *transfermanager.Client
	http     *http.Transport
	bucket   string
}

// New makes a client that transfers large objects in parts of partSize bytes, so many at the same time.
func New(s Server, partSize int64, parallel int) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	c := s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint, Region: s.Region, UsePathStyle: true, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
	transfer := transfermanager.New(c, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.Concurrency, o.GetObjectType = partSize, parallel, tmtypes.GetObjectRanges
	})
	return &Client{s3: c, transfer: transfer, http: transport, bucket: s.Bucket}
}

// Close lets kept connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// MakeBucket makes the bucket.
func (c *Client) MakeBucket(ctx context.Context) error {
	_, err := c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &c.bucket})
	return err
}

// Look tells the size and the ETag of an object; the size is -1 when there is none.
func (c *Client) Look(ctx context.Context, key string) (size int64, etag string, err error) {
	out, err := c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: &key})
	var missing *types.NotFound
	if errors.As(err, &missing) {
		return -1, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	return aws.ToInt64(out.ContentLength), aws.ToString(out.ETag), nil
}

// Count is how many objects of size bytes there are below a prefix.
func (c *Client) Count(ctx context.Context, prefix string, size int64) (n int, err error) {
	err = c.each(ctx, prefix, func(o types.Object) error {
		if aws.ToInt64(o.Size) == size {
			n++
		}
		return nil
	})
	return n, err
}

// RemoveAll deletes what is below a prefix.
func (c *Client) RemoveAll(ctx context.Context, prefix string) error {
	return c.each(ctx, prefix, func(o types.Object) error {
		_, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: o.Key})
		return err
	})
}

func (c *Client) each(ctx context.Context, prefix string, fn func(types.Object) error) error {
	pages := s3.NewListObjectsV2Paginator(c.s3, &s3.ListObjectsV2Input{Bucket: &c.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			if err := fn(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// pollEvery is how often a bucket is asked for something that another program puts there.
const pollEvery = 20 * time.Millisecond

// Until waits for ok, which asks the bucket.
func Until(ctx context.Context, ok func() (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
