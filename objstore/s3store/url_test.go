package s3store

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]Options{
		"s3://bucket":     {Bucket: "bucket"},
		"s3://bucket/":    {Bucket: "bucket"},
		"s3://b/a/b%20c/": {Bucket: "b", Prefix: "a/b c"},
		"s3://b/p?endpoint=http://127.0.0.1:7070&region=eu-1": {
			Bucket: "b", Prefix: "p", Endpoint: "http://127.0.0.1:7070", Region: "eu-1", PathStyle: true,
		},
		"s3://b?endpoint=http%3A%2F%2Flocalhost:1/":                 {Bucket: "b", Endpoint: "http://localhost:1", PathStyle: true},
		"s3://b?endpoint=http://[::1]:1&path-style=false":           {Bucket: "b", Endpoint: "http://[::1]:1"},
		"s3://b?endpoint=https://s3.example.com":                    {Bucket: "b", Endpoint: "https://s3.example.com"},
		"s3://b?endpoint=https://s3.example.com/s3&path-style=true": {Bucket: "b", Endpoint: "https://s3.example.com/s3", PathStyle: true},
		"s3://b/p?part-min=8MiB&equal-parts=true":                   {Bucket: "b", Prefix: "p", PartMin: 8 << 20, EqualParts: true},
		"s3://b/p?part-min=5242880":                                 {Bucket: "b", Prefix: "p", PartMin: 5 << 20},
		"s3://my.bucket-1/p?region=us-west-2&equal-parts=false":     {Bucket: "my.bucket-1", Prefix: "p", Region: "us-west-2"},
	} {
		got, err := ParseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got.String() != want.String() || got.Bucket != want.Bucket || got.Prefix != want.Prefix || got.Endpoint != want.Endpoint ||
			got.Region != want.Region || got.PathStyle != want.PathStyle || got.PartMin != want.PartMin || got.EqualParts != want.EqualParts {
			t.Errorf("%s: got %+v", raw, got)
		}
	}
}

// TestParseURL_Bad: every sentence says what is wrong with the URL, and none repeats a secret.
func TestParseURL_Bad(t *testing.T) {
	for raw, says := range map[string]string{
		"":                                   "s3://",
		"http://b/p":                         "not with s3://",
		"file:/tmp":                          "not with s3://",
		"s3:///p":                            "no bucket",
		"s3:bucket":                          "no bucket",
		"s3://key:secretsecret@b/p":          "AWS_ACCESS_KEY_ID",
		"s3://b:9000/p":                      "endpoint=",
		"s3://b/p#x":                         "%23",
		"s3://b/a//b":                        "prefix",
		"s3://b/../c":                        "prefix",
		"s3://b/a%00b":                       "prefix",
		"s3://b/%zz":                         "can't be read",
		"s3://b/" + strings.Repeat("p", 600): "longer than",
		"s3://b?endpiont=http://x":           "unknown parameter \"endpiont\"; there are endpoint",
		"s3://b?endpoint=x":                  "http://host:port",
		"s3://b?endpoint=ftp://x":            "http://host:port",
		"s3://b?endpoint=http://u:p@x":       "http://host:port",
		"s3://b?endpoint=":                   "one value",
		"s3://b?region=a&region=b":           "one value",
		"s3://b?path-style=yes":              "true or false",
		"s3://b?part-min=lots":               "5MiB",
		"s3://b?part-min=-5":                 "5MiB",
		"s3://b?part-min=0":                  "5MiB",
		"s3://b?part-min=9999999999GiB":      "5MiB",
		"s3://b?equal-parts=1":               "true or false",
		"s3://b?a=%zz":                       "parameters",
	} {
		_, err := ParseURL(raw)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", raw, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "secretsecret") {
			t.Errorf("%s: the error repeats the secret: %v", raw, err)
		}
	}
}
