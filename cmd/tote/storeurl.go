package main

import (
	"errors"
	"net/url"
	"path/filepath"
	"strconv"

	"tote/objstore/s3store"
)

// ownStore names the store inside the data directory. The database remembers it by this name, so that a data directory can be moved.
const ownStore = "file:DATA/objects"

// storeRef names an object store.
type storeRef struct {
	text string          // as the database remembers it
	dir  string          // of the embedded store, "" for a remote one
	s3   s3store.Options // of a remote one
}

// remote tells whether objects are elsewhere than in files of this machine.
func (r storeRef) remote() bool { return r.dir == "" }

// place is what tells remote stores apart; the rest of a URL says how to get there.
func (r storeRef) place() string { return r.s3.Bucket + "/" + r.s3.Prefix }

// parseStore reads a store URL; "" is the store inside the data directory.
func parseStore(text, data string) (storeRef, error) {
	own := storeRef{text: ownStore, dir: filepath.Join(data, "objects")}
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
		return storeRef{text: (&url.URL{Scheme: "file", Path: dir}).String(), dir: dir}, err
	case "s3":
		return parseS3(u)
	}
	return storeRef{}, usagef("--store %s: want file:/absolute/directory or s3://bucket/prefix?endpoint=URL&region=NAME", redactURL(text))
}

// parseS3 reads the URL of a bucket. The endpoint is looked at first, because a message about it would show a password that is in it.
func parseS3(u *url.URL) (storeRef, error) {
	endpoint, err := url.Parse(u.Query().Get("endpoint"))
	if err == nil && endpoint.User != nil {
		return storeRef{}, usagef("--store %s: credentials don't belong into the endpoint: set AWS_ACCESS_KEY_ID and "+
			"AWS_SECRET_ACCESS_KEY, or use ~/.aws", redactURL(u.String()))
	}
	o, err := s3store.ParseURL(u.String())
	if err != nil {
		return storeRef{}, usagef("--store %s: %w", redactURL(u.String()), errors.Unwrap(err))
	}
	return storeRef{text: s3URL(o), s3: o}, nil
}

// s3URL is the URL of a bucket in the one form in which it is remembered and compared.
func s3URL(o s3store.Options) string {
	q := url.Values{}
	set := func(name, value string, differs bool) {
		if differs {
			q.Set(name, value)
		}
	}
	set("endpoint", o.Endpoint, o.Endpoint != "")
	set("region", o.Region, o.Region != "")
	set("path-style", strconv.FormatBool(o.PathStyle), o.PathStyle || o.Endpoint != "")
	set("part-min", strconv.FormatInt(o.PartMin, 10), o.PartMin != 0)
	set("equal-parts", "true", o.EqualParts)
	u := url.URL{Scheme: "s3", Host: o.Bucket, Path: "/" + o.Prefix, RawQuery: q.Encode()}
	return u.String()
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
var shownParams = map[string]bool{"endpoint": true, "region": true, "path-style": true, "part-min": true, "equal-parts": true}

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
