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
		if err != nil || again != got {
			t.Errorf("%q remembered as %q: got %+v, %v", tt.url, got.text, again, err)
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
