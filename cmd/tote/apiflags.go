package main

import (
	"net/url"

	"github.com/urfave/cli/v2"
)

// Who needs credentials for binary stream objects: values of --bso-auth.
const (
	authRequired = "required"
	authLoopback = "loopback"
	authOff      = "off"
)

const (
	catAPI         = "REST APIs"
	defaultMaxFile = 5 << 30
	minMaxFile     = 1 << 20
)

// apiConfig is what the REST APIs are told.
type apiConfig struct {
	BSOAuth string // "" is authRequired
	MaxFile int64  // bytes of the largest file an API takes
}

// apiFlags are the flags about the REST APIs.
func apiFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "bso-auth", Category: catAPI, Value: authRequired, EnvVars: env("bso-auth"),
			Usage: "who needs credentials for binary stream objects: `WHO` is required (everybody), loopback (not programs on this machine) " +
				"or off (nobody); the others are who their x-rdp headers say"},
		&cli.StringFlag{Name: "max-file", Category: catAPI, Value: size(defaultMaxFile), EnvVars: env("max-file"),
			Usage: "take files of up to `SIZE` over the REST APIs"},
	}
}

// apiConfigOf reads the flags about the REST APIs.
func apiConfigOf(c *cli.Context) (a apiConfig, err error) {
	a = apiConfig{BSOAuth: c.String("bso-auth")}
	switch a.BSOAuth {
	case "", authRequired, authLoopback, authOff:
	default:
		return a, usagef("--bso-auth %q: want %s, %s or %s", a.BSOAuth, authRequired, authLoopback, authOff)
	}
	if a.MaxFile, err = parseSize(c.String("max-file")); err != nil || a.MaxFile < minMaxFile {
		return a, usagef("--max-file %q: want a size from %s, such as %s", c.String("max-file"), size(minMaxFile), size(defaultMaxFile))
	}
	return a, nil
}

// publicHost is the host of a URL, "" for none.
func publicHost(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
