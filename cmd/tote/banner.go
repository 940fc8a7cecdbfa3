package main

import (
	"fmt"
	"net"
	"strings"
)

// announce prints commands that work as they are, for each face that is up.
func (p *Program) announce() {
	var b strings.Builder
	fmt.Fprintf(&b, "tote is ready, data in %s\n", p.data.path)
	if ref := p.core.ref; ref.remote() {
		fmt.Fprintf(&b, "objects in %s\n", ref.s3)
	}
	if p.mount != nil {
		fmt.Fprintf(&b, "\n  drive     cp /etc/hostname %s\n            ls -la %s\n", quote(p.mount.dir+"/hello.txt"), quote(p.mount.dir))
	}
	if p.listener != nil {
		base, login := p.baseURL(), p.loginFlag()
		fmt.Fprintf(&b, "\n  WebDAV    curl %s -T /etc/hostname %s/dav/hello.txt\n", login, base)
		fmt.Fprintf(&b, "            curl %s %s/dav/hello.txt\n", login, base)
		fmt.Fprintf(&b, "            in a browser or file manager: %s/dav/\n", base)
		fmt.Fprintf(&b, "\n  REST      curl %s -F 'object={\"name\":\"hello.txt\"}' -F file=@/etc/hostname %s/inventory/binaries\n", login, base)
		fmt.Fprintf(&b, "            curl %s %s/inventory/binaries\n", login, base)
		fmt.Fprintf(&b, "\n  login     user %s, password %s\n", adminUser, p.passwordPlace())
	}
	fmt.Fprintf(&b, "\n  stop      Ctrl-C\n\n")
	fmt.Fprint(p.Stdout, b.String())
	p.Log.Info("ready", "version", buildVersion().String(), "data", p.data.path, "listen", p.Addr(), "mount", p.Config.Mount)
	if p.Ready != nil {
		p.Ready()
	}
}

// Addr is the address of the listener, with the port the kernel chose, or "".
func (p *Program) Addr() string {
	if p.listener == nil {
		return ""
	}
	return p.listener.Addr().String()
}

// baseURL is where people find the HTTP faces.
func (p *Program) baseURL() string {
	if p.Config.PublicURL != "" {
		return p.Config.PublicURL
	}
	scheme := "http"
	if p.Config.TLS() {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(p.Addr())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// loginFlag makes curl log in: with the first password's file while it holds, else curl asks.
func (p *Program) loginFlag() string {
	if p.password == "" {
		return "-u " + adminUser
	}
	return fmt.Sprintf(`-u "%s:$(cat %s)"`, adminUser, quote(p.password))
}

func (p *Program) passwordPlace() string {
	if p.password == "" {
		return "as you set it (tote user passwd changes it)"
	}
	return "in " + p.password
}

// quote makes a path one word for a shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+=:@%,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
