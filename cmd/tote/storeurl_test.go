package main

import (
	"strings"
	"testing"
)

func TestParseStore(t *testing.T) {
	for _, tt := range []struct{ url, text, dir string }{
		{"", ownStore, "/d/objects"},
		{ownStore, ownStore, "/d/objects"},
		{"file:/d/objects/", ownStore, "/d/objects"},
		{"file:/o", "file:///o", "/o"},
		{"file:///o/p", "file:///o/p", "/o/p"},
		{"file:/with space", "file:///with%20space", "/with space"},
	} {
		got, err := parseStore(tt.url, "/d")
		if err != nil || got.text != tt.text || got.dir != tt.dir {
			t.Errorf("%q: got %+v, %v, want %q in %q", tt.url, got, err, tt.text, tt.dir)
		}
		again, err := parseStore(got.text, "/d")
		if err != nil || again.text != got.text || again.dir != got.dir {
			t.Errorf("%q remembered as %q: got %+v, %v", tt.url, got.text, again, err)
		}
	}
}

func TestParseS3(t *testing.T) {
	for in, want := range map[string]string{
		"s3://b":                  "s3://b/",
		"s3://b/a/c/?region=eu-1": "s3://b/a/c?region=eu-1",
		"s3://b/a b":              "s3://b/a%20b",
		"s3://b/p?endpoint=http://127.0.0.1:9000/":                                                   "s3://b/p?endpoint=http%3A%2F%2F127.0.0.1%3A9000&path-style=true",
		"s3://b/p?region=r&path-style=false&endpoint=https://s3.test&part-min=5MiB&equal-parts=true": "s3://b/p?endpoint=https%3A%2F%2Fs3.test&equal-parts=true&part-min=5242880&path-style=false&region=r",
	} {
		got, err := parseStore(in, "/d")
		if err != nil || got.text != want || !got.remote() {
			t.Errorf("%s: got %+v, %v, want %s", in, got, err, want)
		}
		if again, err := parseStore(got.text, "/d"); err != nil || again.text != want || again.place() != got.place() {
			t.Errorf("%s remembered as %s: got %+v, %v", in, want, again, err)
		}
	}
}

func TestParseStoreRefuses(t *testing.T) {
	for in, says := range map[string]string{
		"gs://b/p":                           "want file:/absolute/directory or s3://bucket",
		"s3:///p":                            "names no bucket",
		"s3://b:9000/p":                      "is not a bucket",
		"s3://b/p?bucket=x":                  `unknown parameter "bucket"; there are endpoint`,
		"s3://b/p?endpoint=h:9000":           "endpoint",
		"s3://b/p?path-style=yes":            "true or false",
		"s3://key:hunter2@b/p":               "AWS_SECRET_ACCESS_KEY",
		"s3://b?endpoint=http://k:hunter2@h": "AWS_SECRET_ACCESS_KEY",
		"s3://b?secret-key=hunter2":          `unknown parameter "secret-key"`,
	} {
		_, err := parseStore(in, "/d")
		if wantError(t, err, "--store", says); strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the message shows a password: %v", in, err)
		}
		if code := exitCode(err, &buffer{}); code != exitUsage {
			t.Errorf("%s: exit code %d", in, code)
		}
	}
}

func TestRedactURL(t *testing.T) {
	for in, want := range map[string]string{
		"s3://b/p?endpoint=http://h:9000&region=eu": "s3://b/p?endpoint=http%3A%2F%2Fh%3A9000&region=eu",
		"s3://key:hunter2@b/p":                      "s3://key:xxxxx@b/p",
		"s3://b?secret-key=hunter2":                 "s3://b?secret-key=xxxxx",
		"s3://b?endpoint=http://k:hunter2@h/?x=y":   "s3://b?endpoint=http%3A%2F%2Fk%3Axxxxx%40h%2F",
		":hunter2": "(unreadable)",
	} {
		if got := redactURL(in); got != want || strings.Contains(got, "hunter2") {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
