package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// Bad input ends with one clear line and its own exit code, and creates nothing.
func TestServeRefusesBadInput(t *testing.T) {
	home := t.TempDir()
	full, file := filepath.Join(home, "full"), filepath.Join(home, "file")
	if err := os.MkdirAll(filepath.Join(full, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(home, "data")
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"unknown flag", []string{"--bogus"}, exitUsage, "unknown flag --bogus"},
		{"argument", []string{"what"}, exitUsage, "usage: tote serve"},
		{"store scheme", []string{"--store", "ftp://x/y"}, exitUsage, "--store ftp://x/y"},
		{"store not a URL", []string{"--store", ":"}, exitUsage, "not a URL"},
		{"store with a password", []string{"--store", "s3://key:hunter2@bucket"}, exitUsage, "key:xxxxx@bucket"},
		{"store with a host", []string{"--store", "file://host/x"}, exitUsage, "file:/absolute/directory"},
		{"no port", []string{"--listen", "localhost"}, exitUsage, "want host:port"},
		{"port name", []string{"--listen", "localhost:http"}, exitUsage, "not a port number"},
		{"port too high", []string{"--listen", "127.0.0.1:65536"}, exitUsage, "not a port number"},
		{"passwords in the clear", []string{"--listen", "0.0.0.0:7788"}, exitUsage, "in the clear"},
		{"every interface", []string{"--listen", ":7788"}, exitUsage, "in the clear"},
		{"unassigned address", []string{"--listen", "192.0.2.1:7788", "--insecure-basic"}, exitListen, "can't listen on 192.0.2.1:7788"},
		{"certificate alone", []string{"--tls-cert", file}, exitUsage, "go together"},
		{"certificate unreadable", []string{"--tls-cert", file, "--tls-key", file}, exitUsage, "--tls-cert"},
		{"public URL", []string{"--public-url", "example.org"}, exitUsage, "--public-url"},
		{"public URL with a path", []string{"--public-url", "https://example.org/x"}, exitUsage, "only scheme, host and port"},
		{"log level", []string{"--log-level", "loud"}, exitUsage, "debug, info, warn or error"},
		{"log format", []string{"--log-format", "xml"}, exitUsage, "text or json"},
		{"no face", []string{"--listen", "off"}, exitUsage, "nothing to serve"},
		{"mount point missing", []string{"--mount", filepath.Join(home, "none")}, exitMount, "no such file or directory"},
		{"mount point not empty", []string{"--mount", full}, exitMount, `not empty (it has "x")`},
		{"mount point a file", []string{"--mount", file}, exitMount, "not a directory"},
		{"mount point in data", []string{"--mount", filepath.Join(data, "mnt")}, exitUsage, "must not contain each other"},
		{"data in mount point", []string{"--mount", home}, exitUsage, "must not contain each other"},
		{"store in mount point", []string{"--mount", filepath.Join(home, "m"), "--store", "file:" + filepath.Join(home, "m", "o")}, exitUsage, "--store"},
		{"allow-other without mount", []string{"--allow-other"}, exitUsage, "needs --mount"},
		{"number", []string{"--uid", "root"}, exitUsage, "uid"},
		{"part size", []string{"--part-size", "1MiB"}, exitUsage, `--part-size "1MiB": want a size from 5.0 MiB`},
		{"part size text", []string{"--part-size", "big"}, exitUsage, `--part-size "big"`},
		{"uploads", []string{"--uploads", "0"}, exitUsage, "from 1 to 64"},
		{"cache size", []string{"--cache-size", "-1"}, exitUsage, `--cache-size "-1"`},
		{"store timeout", []string{"--store-timeout", "soon"}, exitUsage, "--store-timeout"},
		{"part size of files", []string{"--part-size", "16MiB"}, exitUsage, "--part-size is about remote stores"},
		{"writeback to files", []string{"--writeback"}, exitUsage, "--writeback is about remote stores"},
		{"URLs of files", []string{"--direct-urls", "--store", "file:/o"}, exitUsage, "--direct-urls is about remote stores"},
		{"writeback without mount", []string{"--writeback", "--store", "s3://b"}, exitUsage, "--writeback needs --mount"},
		{"writeback of nothing", []string{"--writeback", "--store", "s3://b", "--mount", "m", "--read-only"}, exitUsage, "nothing to write"},
		{"meta cache", []string{"--meta-cache", "1KiB"}, exitUsage, "--meta-cache"},
		{"meta cache text", []string{"--meta-cache", "lots"}, exitUsage, `--meta-cache "lots": want a size`},
		{"stop timeout", []string{"--stop-timeout", "0s"}, exitUsage, "--stop-timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := tote(t, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, tt.args...)...)
			o.want(t, tt.code, tt.says)
			if strings.Contains(o.stderr, "hunter2") {
				t.Errorf("the message shows a password: %s", o.stderr)
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Errorf("%s was created", data)
			}
		})
	}
}

func TestServeRefusesDataThatIsNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tote(t, "serve", "--data", file).want(t, exitUsage, "is not a directory")
	tote(t, "serve", "--data", "").want(t, exitUsage, "--data must name a directory")
	tote(t, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(file, "x")).want(t, exitUsage, "can't be created")
}

func TestServeReadsEnvironment(t *testing.T) {
	t.Setenv("TOTE_LISTEN", "nonsense")
	tote(t, "serve").want(t, exitUsage, `--listen "nonsense"`)
	t.Setenv("TOTE_LISTEN", "off")
	tote(t, "serve").want(t, exitUsage, "nothing to serve")
	t.Setenv("TOTE_INSECURE_BASIC", "perhaps")
	tote(t, "serve").want(t, exitUsage, "TOTE_INSECURE_BASIC")
}

func TestServeRefusesWeakFirstPassword(t *testing.T) {
	t.Setenv(adminPasswordEnv, "short")
	data := filepath.Join(t.TempDir(), "data")
	o := tote(t, "serve", "--data", data, "--listen", "127.0.0.1:0")
	o.want(t, exitUsage, adminPasswordEnv, "at least 8")
	if strings.Contains(o.stderr, "short") {
		t.Errorf("the message shows the password: %s", o.stderr)
	}
}

func TestEveryServeFlagHasAnEnvironmentVariable(t *testing.T) {
	for _, f := range serveFlags() {
		d, ok := f.(cli.DocGenerationFlag)
		if !ok || len(d.GetEnvVars()) != 1 || d.GetEnvVars()[0] != env(f.Names()[0])[0] {
			t.Errorf("--%s has the variables %v", f.Names()[0], d.GetEnvVars())
		}
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "localhost": true,
		"": false, "0.0.0.0": false, "::": false, "192.0.2.1": false, "no.such.host.invalid": false,
	} {
		if got := loopback(host); got != want {
			t.Errorf("loopback(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestCommands(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no such command", []string{"mount"}, exitUsage, `no command "mount"`},
		{"no such user command", []string{"user", "kill"}, exitUsage, `no command "kill"`},
		{"user add without a name", []string{"user", "add"}, exitUsage, "usage: tote user add NAME"},
		{"user role without a role", []string{"user", "role", "x", "--data", t.TempDir()}, exitUsage, "no tote.db"},
		{"status of nothing", []string{"status", "--data", t.TempDir()}, exitUsage, "no tote.db"},
		{"gc of nothing", []string{"gc", "--data", "/nonexistent"}, exitUsage, "no tote.db"},
		{"fsck with an argument", []string{"fsck", "x"}, exitUsage, "usage: tote fsck"},
		{"umount nothing", []string{"umount"}, exitUsage, "usage: tote umount"},
		{"umount no mount", []string{"umount", t.TempDir()}, exitMount, "nothing is mounted on"},
		{"umount something else", []string{"umount", "/proc"}, exitMount, "not tote's"},
		{"umount without a server", []string{"umount", "--data", t.TempDir()}, exitFailed, "no server runs"},
		{"umount in no time", []string{"umount", "x", "--timeout", "0s"}, exitUsage, "--timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) { tote(t, tt.args...).want(t, tt.code, tt.says) })
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"serve", "--help"}, {"user"}, {"version"}, {"version", "--json"}} {
		o := tote(t, args...)
		o.want(t, exitOK)
		if o.stdout == "" || strings.Contains(o.stdout, "no-passthrough") {
			t.Errorf("tote %s prints %q", strings.Join(args, " "), o.stdout)
		}
	}
}

func TestFlagsFirst(t *testing.T) {
	commands := newApp(nil, nil, nil).Commands
	for _, tt := range []struct{ in, want string }{
		{"tote user add bob --data d --role reader", "tote user add --data d --role reader bob"},
		{"tote user passwd bob --generate --data d", "tote user passwd --generate --data d bob"},
		{"tote user add --role=reader bob --data=d", "tote user add --role=reader --data=d bob"},
		{"tote umount m --timeout 5s", "tote umount --timeout 5s m"},
		{"tote user role bob -- --data", "tote user role -- bob --data"},
		{"tote user passwd bob --unknown x", "tote user passwd --unknown bob x"},
		{"tote status --data", "tote status --data"},
		{"tote nonsense a --b", "tote nonsense a --b"},
		{"tote", "tote"},
	} {
		if got := strings.Join(flagsFirst(commands, strings.Fields(tt.in)), " "); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	if got, want := oneLine(" a\nb\x1b[31m\xffc "), "a b [31m?c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"/a/b-c.d": "/a/b-c.d", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'"} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}
