package s3store

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore"
)

const (
	defaultPatience = 5 * time.Minute
	defaultStall    = 20 * time.Second
	defaultSpool    = 16 << 20
	openPatience    = 10 * time.Second // a server that does not answer at the start is reported soon

	maxPrefix = objstore.MaxKey / 2
	maxOwner  = 64
)

// Options say where a store is. ParseURL makes them from a URL.
type Options struct {
	Bucket    string
	Prefix    string // all keys lie below it; "" is the whole bucket
	Endpoint  string // "" is AWS
	Region    string // "" is the SDK's choice, or us-east-1 with an endpoint
	PathStyle bool   // the bucket is in the path of requests and not in their host name

	PartMin    int64 // the smallest part the server takes before the last; 0 tries it out
	EqualParts bool  // all parts but the last must have one size

	// Owner names who opens the store, in up to 64 letters and digits. What an earlier process of this owner left behind when it was killed in its
	// start is removed at once, and not only when it is old. Who opens the same place at the same time has another name. "" is nobody else's.
	Owner string

	Credentials aws.CredentialsProvider // nil is the SDK's usual chain
	Patience    time.Duration           // how long calls are repeated whose context has no deadline; 0 is 5 min
	Stall       time.Duration           // how long an attempt may stand still; 0 is 20 s
	Spool       int64                   // bodies that can't be read twice are kept in memory up to it; 0 is 16 MiB
	TempDir     string                  // and beyond it in files here; "" is the system's
	Logger      *slog.Logger            // nil is slog.Default

	client s3.HTTPClient // tests: instead of the network
}

func (o Options) withDefaults() Options {
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Stall <= 0 {
		o.Stall = defaultStall
	}
	if o.Spool <= 0 {
		o.Spool = defaultSpool
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func (o Options) check() error {
	switch {
	case o.Bucket == "":
		return errors.New("no bucket is given")
	case o.PartMin < 0:
		return errors.New("the smallest part is negative")
	case len(o.Prefix) > maxPrefix:
		return fmt.Errorf("the prefix is longer than %d bytes", maxPrefix)
	}
	if o.Owner != "" && (strings.Contains(o.Owner, "/") || objstore.ValidKey(probeName+o.Owner) != nil || len(o.Owner) > maxOwner) {
		return fmt.Errorf("the owner %q is no name of up to %d letters and digits", o.Owner, maxOwner)
	}
	if o.Prefix != "" {
		if err := objstore.ValidKey(o.Prefix); err != nil {
			return fmt.Errorf("the prefix: %w", err)
		}
	}
	if o.Endpoint == "" {
		return nil
	}
	return checkEndpoint(o.Endpoint)
}

func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("the endpoint: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("the endpoint %q is not of the form http://host:port or https://host", endpoint)
	}
	return nil
}

// String is the store's place for people: it holds no secret.
func (o Options) String() string {
	s := "s3://" + o.Bucket
	if o.Prefix != "" {
		s += "/" + o.Prefix
	}
	if o.Endpoint != "" {
		s += " at " + o.Endpoint
	}
	return s
}

// needsPathStyle says whether a bucket can't be part of the endpoint's host name.
func needsPathStyle(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err == nil || u.Hostname() == "localhost"
}
