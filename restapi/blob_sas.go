package restapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"tote/fs"
)

// sasVersion is the value of sv: clients look at it to decide which form of signature they have.
const sasVersion = "2017-07-29"

// Permissions of signed URLs, one letter each: add, create, write; read, list.
const (
	permUpload   = "acw"
	permDownload = "rl"
)

// claims are what a signed URL remembers of the request that asked for it.
type claims struct {
	Tenant    string                     `json:"t"`
	User      string                     `json:"u"`
	Roles     []string                   `json:"r,omitempty"`
	Ownership []string                   `json:"o,omitempty"`
	As        string                     `json:"a,omitempty"` // acting user, when it is not User
	RoleText  string                     `json:"x,omitempty"` // roles as the client's header had them
	OwnerText string                     `json:"w,omitempty"`
	Delegate  bool                       `json:"d,omitempty"` // the credentials were those of a program that acts for others
	ID        string                     `json:"i,omitempty"`
	Type      string                     `json:"y,omitempty"`
	Props     map[string]json.RawMessage `json:"p,omitempty"`
}

// actor is who used the URL: the one it was made for.
func (c claims) actor() *fs.Actor {
	return &fs.Actor{Tenant: c.Tenant, User: c.User, Roles: c.Roles, Ownership: c.Ownership, Origin: "rest"}
}

// acting is the user whom the client named.
func (c claims) acting() string {
	if c.As != "" {
		return c.As
	}
	return c.User
}

// Scopes of signed URLs, as they stand in sr.
const (
	scopeBlob      = "b"
	scopeContainer = "c" // every blob of it: the key is not signed
)

// grant is the signed part of a URL.
type grant struct {
	perms     string // sp
	expires   string // se
	scope     string // sr
	container string
	key       string
	version   string // sv
	rscd      string // Content-Disposition of downloads, "" for none
	session   string // si: claims
}

// sign computes over decoded values, because clients encode paths again and reorder parameters.
func (s *server) sign(g grant) []byte {
	resource := "/" + g.container
	if g.scope == scopeBlob {
		resource += "/" + g.key
	}
	mac := hmac.New(sha256.New, s.opts.SigningKey)
	mac.Write([]byte(strings.Join([]string{g.perms, g.expires, g.scope, resource, g.version, g.rscd, g.session}, "\n")))
	return mac.Sum(nil)
}

const seLayout = "2006-01-02T15:04:05Z"

// signedURL makes the URL of what g allows, from now on for as long as URLs live. Scripts cut it out of JSON as text, so it holds no comma,
// space, quote or brace.
func (s *server) signedURL(base string, g grant, c claims) string {
	text, _ := json.Marshal(c)
	g.expires, g.version = s.opts.Now().Add(s.opts.URLLife).UTC().Format(seLayout), sasVersion
	g.session = base64.RawURLEncoding.EncodeToString(text)
	var b strings.Builder
	b.WriteString(base + "/blobs/" + escapePath(g.container) + "/" + escapePath(g.key))
	b.WriteString("?sig=" + base64.RawURLEncoding.EncodeToString(s.sign(g)))
	b.WriteString("&se=" + escapeQuery(g.expires) + "&sv=" + g.version)
	if g.rscd != "" {
		b.WriteString("&rscd=" + escapeQuery(g.rscd))
	}
	b.WriteString("&sp=" + g.perms + "&sr=" + g.scope + "&si=" + g.session)
	return b.String()
}

// escapePath encodes all but the characters that every client leaves alone in a path; @ is kept because keys are full of it.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(escapeQuery(part), "%40", "@")
	}
	return strings.Join(parts, "/")
}

func escapeQuery(v string) string { return strings.ReplaceAll(url.QueryEscape(v), "+", "%20") }

// verify checks the signature of a URL and gives what it remembers. Everything that is wrong looks the same from outside.
func (s *server) verify(q url.Values, container, key string) (grant, claims, error) {
	g := grant{
		perms: q.Get("sp"), expires: q.Get("se"), scope: q.Get("sr"), container: container, key: key,
		version: q.Get("sv"), rscd: q.Get("rscd"), session: q.Get("si"),
	}
	// The text is compared, because a decoder takes several for the same bytes.
	sig := base64.RawURLEncoding.EncodeToString(s.sign(g))
	if !hmac.Equal([]byte(q.Get("sig")), []byte(sig)) || g.scope != scopeBlob && g.scope != scopeContainer {
		return grant{}, claims{}, blobNotSigned
	}
	until, err := time.Parse(seLayout, g.expires)
	if err != nil || s.opts.Now().After(until.Add(s.opts.Skew)) {
		return grant{}, claims{}, blobNotSigned
	}
	var c claims
	text, err := base64.RawURLEncoding.DecodeString(g.session)
	if err != nil || json.Unmarshal(text, &c) != nil || c.Tenant == "" {
		return grant{}, claims{}, blobNotSigned
	}
	return g, c, nil
}

// covers tells whether an object is in the part of the store that the URL shows. The URL of one blob names it; that of a container must not
// reach into another one.
func (g grant) covers(o *object, tenant string) bool {
	return g.scope == scopeBlob || container(tenant, o.typ) == g.container
}
