package main

import (
	"net/url"
	"path/filepath"
)

// ownStore names the store inside the data directory. The database remembers it by this name, so that a data directory can be moved.
const ownStore = "file:DATA/objects"

// storeRef names an object store.
type storeRef struct {
	text string // as the database remembers it
	dir  string // of the embedded store
}

// parseStore reads a store URL; "" is the store inside the data directory.
func parseStore(text, data string) (storeRef, error) {
	own := storeRef{ownStore, filepath.Join(data, "objects")}
	if text == "" || text == ownStore {
		return own, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return storeRef{}, usagef("--store %q is not a URL", redactURL(text))
	}
	switch u.Scheme {
	case "file":
		dir, err := fileDir(u)
		if dir == own.dir {
			return own, err
		}
		return storeRef{(&url.URL{Scheme: "file", Path: dir}).String(), dir}, err
	}
	return storeRef{}, usagef("--store %s: want file:/absolute/directory or s3://bucket/prefix?endpoint=URL&region=NAME", redactURL(text))
}

// fileDir is the directory that a file: URL names.
func fileDir(u *url.URL) (string, error) {
	dir := u.Path
	if u.Opaque != "" {
		dir = u.Opaque
	}
	if dir == "" || u.Host != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", usagef("--store %s: want file:/absolute/directory", redactURL(u.String()))
	}
	return filepath.Abs(dir)
}

// shownParams are the parameters of a URL that may go into a message. Others may be secrets that somebody put in the wrong place.
var shownParams = map[string]bool{"endpoint": true, "region": true, "path-style": true}

// redactURL hides passwords in a URL that goes into a message, and parameters that nobody knows.
func redactURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "(unreadable)"
	}
	q := u.Query()
	for name := range q {
		switch {
		case !shownParams[name]:
			q[name] = []string{"xxxxx"}
		case name == "endpoint":
			q.Set(name, redactEndpoint(q.Get(name)))
		}
	}
	if len(q) > 0 {
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// redactEndpoint hides what an endpoint should not have.
func redactEndpoint(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "(unreadable)"
	}
	u.RawQuery, u.Fragment = "", ""
	return u.Redacted()
}
