package s3store

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params are what a store URL may say, each with what reads it into the options.
func params() map[string]func(o *Options, value string) error {
	return map[string]func(o *Options, value string) error{
		"endpoint": func(o *Options, v string) error {
			o.Endpoint = strings.TrimSuffix(v, "/")
			return checkEndpoint(o.Endpoint)
		},
		"region":      func(o *Options, v string) error { o.Region = v; return nil },
		"path-style":  func(o *Options, v string) error { return parseBool(&o.PathStyle, v) },
		"equal-parts": func(o *Options, v string) error { return parseBool(&o.EqualParts, v) },
		"part-min":    func(o *Options, v string) error { return parseSize(&o.PartMin, v) },
	}
}

// ParseURL reads s3://bucket/prefix?endpoint=…&region=…&path-style=true&part-min=…&equal-parts=true, where all but
// the bucket may be missing. An endpoint at an IP address or localhost is asked in path style by default.
func ParseURL(raw string) (Options, error) {
	o, err := parseURL(raw)
	if err != nil {
		return Options{}, fmt.Errorf("store url: %w", err)
	}
	return o, nil
}

func parseURL(raw string) (Options, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Options{}, errors.New("it can't be read; it must be s3://bucket/prefix?endpoint=http://host:port&region=name")
	}
	switch {
	case u.Scheme != "s3":
		return Options{}, fmt.Errorf("it begins with %q, not with s3://", u.Scheme+":")
	case u.User != nil:
		return Options{}, errors.New("credentials don't belong into it: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use ~/.aws")
	case u.Host == "":
		return Options{}, errors.New("it names no bucket; it must be s3://bucket/prefix?…")
	case u.Port() != "" || strings.HasSuffix(u.Host, ":"):
		return Options{}, fmt.Errorf("%q is not a bucket; a server goes into endpoint=http://host:port", u.Host)
	case u.Fragment != "":
		return Options{}, fmt.Errorf("what is behind the # (%q) means nothing; write %%23 for a # in the prefix", u.Fragment)
	}
	o := Options{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Options{}, fmt.Errorf("its parameters: %w", err)
	}
	if err := o.set(query); err != nil {
		return Options{}, err
	}
	return o, o.check()
}

func (o *Options) set(query url.Values) error {
	known := params()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		read, ok := known[name]
		if !ok {
			return fmt.Errorf("unknown parameter %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if len(values) != 1 || values[0] == "" {
			return fmt.Errorf("parameter %q must have one value", name)
		}
		if err := read(o, values[0]); err != nil {
			return fmt.Errorf("parameter %s=%s: %w", name, values[0], err)
		}
	}
	if !query.Has("path-style") {
		o.PathStyle = needsPathStyle(o.Endpoint)
	}
	return nil
}

func parseBool(to *bool, v string) error {
	if v != "true" && v != "false" {
		return errors.New("it must be true or false")
	}
	*to = v == "true"
	return nil
}

// parseSize reads a number of bytes, or of KiB, MiB, GiB.
func parseSize(to *int64, v string) error {
	digits, factor := v, int64(1)
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if d, ok := strings.CutSuffix(v, unit); ok {
			digits, factor = d, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > maxObject/factor {
		return errors.New("it must be a size as 5242880 or 5MiB")
	}
	*to = n * factor
	return nil
}
