package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"tote/davserver"
	"tote/meta"
)

// env names the environment variable of a flag: --public-url is TOTE_PUBLIC_URL.
func env(flag string) []string {
	return []string{"TOTE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
}

// Categories of flags in the help.
const (
	catFaces  = "Faces"
	catRemote = "Remote store"
	catAccess = "Access"
	catLogs   = "Logs"
)

func stringFlag(name, category, value, usage string) cli.Flag {
	return &cli.StringFlag{Name: name, Category: category, Value: value, Usage: usage, EnvVars: env(name)}
}

func boolFlag(name, category, usage string) cli.Flag {
	return &cli.BoolFlag{Name: name, Category: category, Usage: usage, EnvVars: env(name)}
}

// dataFlag and storeFlag are shared by all commands that work on a data directory.
func dataFlag() cli.Flag {
	return stringFlag("data", "", "./data", "keep everything in `DIR`")
}

func storeFlag() cli.Flag {
	return stringFlag("store", "", "", "keep objects in `URL` (default: where they are, file:DATA/objects at first)")
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON"}
}

func serveFlags() []cli.Flag {
	return append(append(remoteFlags(), apiFlags()...),
		dataFlag(),
		storeFlag(),
		stringFlag("meta-cache", "", size(meta.DefaultCache), "keep up to `SIZE` of the database in memory"),
		boolFlag("adopt-store", "", "use --store although the objects were elsewhere before, once all of them are there"),
		stringFlag("listen", catFaces, defaultListen, "serve WebDAV, REST and the browser page on `ADDR`, \"off\" for none"),
		stringFlag("mount", catFaces, "", "mount the files on the empty directory `DIR`"),
		stringFlag("tenant", catFaces, "", "mount the files of `TENANT` (default: "+defaultTenant+")"),
		stringFlag("dav-junk", catFaces, "keep", "`WHAT` to do with ._*, .DS_Store, Thumbs.db and desktop.ini over WebDAV: keep, hide from listings, drop"),
		stringFlag("public-url", catFaces, "", "base `URL` of links and signed URLs (default: what the request names)"),
		boolFlag("read-only", catFaces, "refuse every change on all faces"),
		boolFlag("allow-other", catFaces, "let other users of this machine into the mount; file modes decide what they may do"),
		&cli.BoolFlag{Name: "no-passthrough", Category: catFaces, Hidden: true, EnvVars: env("no-passthrough"),
			Usage: "send every read and write of the mount through the server"},
		&cli.UintFlag{Name: "uid", Category: catFaces, Value: uint(os.Getuid()), DefaultText: "yours", EnvVars: env("uid"),
			Usage: "owner of files made over HTTP, as the mount shows them"},
		&cli.UintFlag{Name: "gid", Category: catFaces, Value: uint(os.Getgid()), DefaultText: "yours", EnvVars: env("gid"),
			Usage: "group of files made over HTTP"},
		stringFlag("tls-cert", catAccess, "", "serve HTTPS with the certificate chain in `FILE` (PEM)"),
		stringFlag("tls-key", catAccess, "", "and its private key in `FILE` (PEM)"),
		boolFlag("insecure-basic", catAccess, "accept passwords over plain HTTP from other machines (behind a TLS proxy)"),
		stringFlag("log-level", catLogs, "info", "`LEVEL` debug, info, warn or error"),
		stringFlag("log-format", catLogs, "text", "`FORMAT` text or json"),
		&cli.DurationFlag{Name: "stop-timeout", Category: catLogs, Value: defaultStopTimeout, EnvVars: env("stop-timeout"),
			Usage: "how long requests and the mount may take to end after a signal"},
	)
}

// serveConfig reads the flags of serve. The admin's first password comes from the environment only: flags show in ps.
func serveConfig(c *cli.Context) (Config, error) {
	cfg := Config{
		Data:          c.String("data"),
		Store:         c.String("store"),
		AdoptStore:    c.Bool("adopt-store"),
		Listen:        c.String("listen"),
		Mount:         c.String("mount"),
		Tenant:        c.String("tenant"),
		PublicURL:     c.String("public-url"),
		ReadOnly:      c.Bool("read-only"),
		AllowOther:    c.Bool("allow-other"),
		NoPassthrough: c.Bool("no-passthrough"),
		UID:           uint32(c.Uint("uid")),
		GID:           uint32(c.Uint("gid")),
		TLSCert:       c.String("tls-cert"),
		TLSKey:        c.String("tls-key"),
		InsecureBasic: c.Bool("insecure-basic"),
		LogFormat:     c.String("log-format"),
		StopTimeout:   c.Duration("stop-timeout"),
		AdminPassword: os.Getenv(adminPasswordEnv),
	}
	if err := cfg.LogLevel.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return cfg, usagef("--log-level %q: want debug, info, warn or error", c.String("log-level"))
	}
	var err error
	if cfg.Junk, err = davserver.ParseJunk(c.String("dav-junk")); err != nil {
		return cfg, usagef("--dav-junk %w", err)
	}
	if cfg.MetaCache, err = parseSize(c.String("meta-cache")); err != nil || cfg.MetaCache == 0 {
		return cfg, usagef("--meta-cache %q: want a size, such as %s", c.String("meta-cache"), size(meta.DefaultCache))
	}
	if cfg.Remote, err = remoteConfig(c); err != nil {
		return cfg, err
	}
	if cfg.API, err = apiConfigOf(c); err != nil {
		return cfg, err
	}
	return cfg, cfg.Validate()
}

// localConfig is what a command that works on a data directory in its own process is told.
func localConfig(c *cli.Context) Config {
	return Config{
		Data: c.String("data"), Store: c.String("store"), Listen: off, LogFormat: "text", LogLevel: slog.LevelWarn,
		StopTimeout: time.Minute, Remote: remoteStore{Uncached: true}, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()),
	}
}

// commandConfig reads the flags of commands that look at a data directory.
func commandConfig(c *cli.Context) (Config, error) {
	cfg := localConfig(c)
	if err := cfg.check(cfg.checkData, cfg.checkStore); err != nil {
		return cfg, err
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, dbFile)); err != nil {
		return cfg, usagef("--data %s has no %s: \"tote serve\" makes a data directory", cfg.Data, dbFile)
	}
	return cfg, nil
}
