package main

import (
	"cmp"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tote/davserver"
	"tote/meta"
)

const (
	defaultListen      = "127.0.0.1:7788"
	defaultStopTimeout = 15 * time.Second
	defaultTenant      = "rdp" // the tenant a fresh installation has
	maxMetaCache       = 64 << 30
	adminUser          = "admin"
	adminPasswordEnv   = "TOTE_ADMIN_PASSWORD"
	off                = "off" // --listen off
)

// Config is everything a server is told. It is a plain value: two programs with different ones can run in one process.
type Config struct {
	Data          string // absolute after Validate
	Store         string // URL; "" is the one that the data directory was used with, file:DATA/objects at first
	AdoptStore    bool   // Store may be another one than before
	Remote        remoteStore
	MetaCache     int64 // bytes of the database that are kept in memory, 0 for the default
	API           apiConfig
	Listen        string // host:port, or "off"
	Mount         string // directory, "" for none; absolute after Validate
	Tenant        string // whose files are mounted, "" for the default
	PublicURL     string
	Junk          davserver.Junk // what WebDAV does with the files that desktops leave behind
	TLSCert       string
	TLSKey        string
	InsecureBasic bool
	ReadOnly      bool // nobody changes anything, on any face
	AllowOther    bool
	NoPassthrough bool
	UID, GID      uint32
	LogLevel      slog.Level
	LogFormat     string
	StopTimeout   time.Duration
	AdminPassword string // of the first start; "" makes a random one

	recovers bool // the tree is made of the objects in the store
}

// Validate refuses what can't work, before anything is created, and makes paths absolute.
func (c *Config) Validate() error {
	if c.Listen == "" {
		c.Listen = off
	}
	return c.check(c.checkData, c.checkStore, c.checkFaces, c.checkListen, c.checkTLS, c.checkPublicURL, c.checkMount, c.checkRest)
}

func (c *Config) check(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// tenant is whose files are mounted.
func (c *Config) tenant() string { return cmp.Or(c.Tenant, defaultTenant) }

// HTTP tells whether there is a listener.
func (c *Config) HTTP() bool { return c.Listen != off }

// TLS tells whether the listener speaks HTTPS.
func (c *Config) TLS() bool { return c.TLSCert != "" }

func (c *Config) checkData() error {
	if c.Data == "" {
		return usagef("--data must name a directory")
	}
	abs, err := filepath.Abs(c.Data)
	if err != nil {
		return usagef("--data %s: %w", c.Data, err)
	}
	c.Data = abs
	if fi, err := os.Stat(abs); err == nil && !fi.IsDir() {
		return usagef("--data %s is not a directory", abs)
	}
	return nil
}

func (c *Config) checkStore() error {
	ref, err := parseStore(c.Store, c.Data)
	if err != nil || ref.remote() {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.Data, dbFile)); err == nil && c.Store == "" {
		return nil // the database knows which store it is
	}
	return c.Remote.checkEmbedded()
}

func (c *Config) checkFaces() error {
	if !c.HTTP() && c.Mount == "" {
		return usagef("nothing to serve: give --listen, --mount or both")
	}
	if c.Tenant != "" && c.Mount == "" {
		return usagef("--tenant needs --mount")
	}
	if c.AllowOther && c.Mount == "" {
		return usagef("--allow-other needs --mount")
	}
	if c.Remote.Writeback && c.Mount == "" {
		return usagef("--writeback needs --mount: other faces wait for uploads")
	}
	if c.Remote.Writeback && c.ReadOnly {
		return usagef("--writeback with --read-only has nothing to write")
	}
	if c.Remote.DirectURLs && !c.HTTP() {
		return usagef("--direct-urls needs --listen")
	}
	return nil
}

// checkListen also refuses an address on which passwords would cross the network in the clear.
func (c *Config) checkListen() error {
	if !c.HTTP() {
		return nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return usagef("--listen %q: want host:port, such as %s", c.Listen, defaultListen)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return usagef("--listen %q: %q is not a port number", c.Listen, port)
	} else if n == 0 && host == "" {
		return usagef("--listen %q: port 0 needs a host", c.Listen)
	}
	if c.TLS() || c.InsecureBasic || loopback(host) {
		return nil
	}
	return usagef("--listen %s would let passwords cross the network in the clear: give --tls-cert and --tls-key, "+
		"listen on 127.0.0.1, or pass --insecure-basic when a proxy in front does TLS", c.Listen)
}

// loopback tells whether a listener on host is reachable from this machine only. A name counts when all its addresses do.
func loopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	if host == "" {
		return false // every interface
	}
	ips, err := net.LookupIP(host)
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return false
		}
	}
	return err == nil && len(ips) > 0
}

func (c *Config) checkTLS() error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return usagef("--tls-cert and --tls-key go together")
	}
	if c.TLS() && !c.HTTP() {
		return usagef("--tls-cert needs --listen")
	}
	return nil
}

func (c *Config) checkPublicURL() error {
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return usagef("--public-url %q: want http://host or https://host", redactURL(c.PublicURL))
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return usagef("--public-url %s: only scheme, host and port are allowed", redactURL(c.PublicURL))
	}
	c.PublicURL = u.Scheme + "://" + u.Host
	return nil
}

func (c *Config) checkMount() error {
	if c.Mount == "" {
		return nil
	}
	abs, err := filepath.Abs(c.Mount)
	if err != nil {
		return usagef("--mount %s: %w", c.Mount, err)
	}
	c.Mount = abs
	if within(c.Data, abs) || within(abs, c.Data) {
		return usagef("--mount %s and --data %s must not contain each other", abs, c.Data)
	}
	if s, err := parseStore(c.Store, c.Data); err == nil && !s.remote() && (within(s.dir, abs) || within(abs, s.dir)) {
		return usagef("--mount %s and --store %s must not contain each other", abs, s.dir)
	}
	return nil
}

// within tells whether path is dir or below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

func (c *Config) checkRest() error {
	if c.MetaCache != 0 && (c.MetaCache < meta.MinCache || c.MetaCache > maxMetaCache) {
		return usagef("--meta-cache %d: want a size from %s to %s", c.MetaCache, size(meta.MinCache), size(maxMetaCache))
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return usagef("--log-format %q: want text or json", c.LogFormat)
	}
	if c.StopTimeout <= 0 {
		return usagef("--stop-timeout %v: want a time above zero", c.StopTimeout)
	}
	if p := c.AdminPassword; p != "" {
		if err := checkPassword(p); err != nil {
			return usagef("%s: %w", adminPasswordEnv, err)
		}
	}
	return nil
}

// oneLine keeps a message on one line and printable, whatever path or server text it contains.
func oneLine(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "?")
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
}
