package main

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tote/meta"
)

// people is a user store in memory.
type people struct {
	mu    sync.Mutex
	users map[string]meta.User
	err   error
}

func (p *people) GetUser(_ context.Context, tenant, name string) (meta.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return meta.User{}, p.err
	}
	u, ok := p.users[tenant+"/"+name]
	if !ok {
		return meta.User{}, syscall.ENOENT
	}
	return u, nil
}

func (p *people) set(tenant, name, password string) {
	hash := must(hashPassword(password))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users[tenant+"/"+name] = newUser(tenant, name, hash, nil)
}

func testLogin(t *testing.T) (*login, *people) {
	t.Helper()
	p := &people{users: map[string]meta.User{}}
	p.set("rdp", "ann", "ann's secret")
	p.set("acme", "ann", "other secret")
	return must(newLogin(p, "rdp")), p
}

var ann = credentials{"rdp", "ann", "ann's secret", false}

func TestLoginVerify(t *testing.T) {
	l, _ := testLogin(t)
	for _, tt := range []struct {
		name string
		c    credentials
		err  error
	}{
		{"right", ann, nil},
		{"right again", ann, nil},
		{"wrong password", credentials{"rdp", "ann", "wrong", false}, errBadCredentials},
		{"empty password", credentials{"rdp", "ann", "", false}, errBadCredentials},
		{"other tenant's password", credentials{"rdp", "ann", "other secret", false}, errBadCredentials},
		{"other tenant", credentials{"acme", "ann", "other secret", false}, nil},
		{"unknown user", credentials{"rdp", "bob", "ann's secret", false}, errBadCredentials},
		{"user of the default tenant", credentials{"none", "ann", "ann's secret", true}, nil},
		{"same name in the tenant that is meant", credentials{"acme", "ann", "ann's secret", true}, errBadCredentials},
		{"unknown tenant", credentials{"none", "ann", "ann's secret", false}, errBadCredentials},
		{"password with a tail", credentials{"rdp", "ann", "ann's secret" + strings.Repeat("x", 9000), false}, errBadCredentials},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := l.Verify(t.Context(), tt.c, tt.name)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if err == nil && (u.Tenant != tt.c.tenant && !tt.c.guess || u.Name != tt.c.name) {
				t.Errorf("got user %s/%s", u.Tenant, u.Name)
			}
		})
	}
	if n := l.verified.Len(); n != 2 {
		t.Errorf("%d credentials are remembered, want the 2 right ones", n)
	}
}

// hog takes all slots, so that nothing but the cache can answer.
func hog(l *login) {
	for range cap(l.slots) {
		l.slots <- struct{}{}
	}
}

func TestLoginRemembersRightCredentials(t *testing.T) {
	l, p := testLogin(t)
	if _, err := l.Verify(t.Context(), ann, "a"); err != nil {
		t.Fatal(err)
	}
	hog(l)
	if _, err := l.Verify(t.Context(), ann, "a"); err != nil {
		t.Errorf("the second login computed a hash: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, change := range map[string]func(){
		"password changed": func() { p.set("rdp", "ann", "ann's secret") }, // same password, new salt
		"user removed":     func() { p.mu.Lock(); delete(p.users, "rdp/ann"); p.mu.Unlock() },
	} {
		t.Run(name, func(t *testing.T) {
			change()
			if _, err := l.Verify(gone, ann, "a"); !errors.Is(err, errLoginBusy) {
				t.Errorf("still remembered: %v", err)
			}
		})
	}
}

func TestLoginPasswordChangeHoldsAtOnce(t *testing.T) {
	l, p := testLogin(t)
	if _, err := l.Verify(t.Context(), ann, "a"); err != nil {
		t.Fatal(err)
	}
	p.set("rdp", "ann", "a new secret")
	if _, err := l.Verify(t.Context(), ann, "a"); !errors.Is(err, errBadCredentials) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := l.Verify(t.Context(), credentials{"rdp", "ann", "a new secret", false}, "a"); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestLoginBacksOff(t *testing.T) {
	l, _ := testLogin(t)
	if _, err := l.Verify(t.Context(), ann, "evil"); err != nil {
		t.Fatal(err)
	}
	bad := credentials{"rdp", "ann", "guess", false}
	for i := range freePerName + 1 {
		if _, err := l.Verify(t.Context(), bad, "evil"); !errors.Is(err, errBadCredentials) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if _, err := l.Verify(t.Context(), bad, "evil"); !errors.Is(err, errTooMany) {
		t.Errorf("no back-off: %v", err)
	}
	if _, err := l.Verify(t.Context(), ann, "evil"); err != nil {
		t.Errorf("who was logged in already is locked out: %v", err)
	}
	if _, err := l.Verify(t.Context(), bad, "elsewhere"); !errors.Is(err, errBadCredentials) {
		t.Errorf("another address: %v", err)
	}
}

func TestLoginReportsBrokenDatabase(t *testing.T) {
	l, p := testLogin(t)
	p.err = syscall.EIO
	if _, err := l.Verify(t.Context(), ann, "a"); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
}

// Unknown names must cost as much as known ones. It is processor time that counts here, the least of a few, with a wide margin: other programs may take
// the machine for a while, and the difference would be a factor of thousands.
func TestLoginTimesUnknownUsers(t *testing.T) {
	l, _ := testLogin(t)
	cost := func(name, addr string) time.Duration {
		least := time.Duration(math.MaxInt64)
		for range 5 {
			start := processorTime(t)
			_, _ = l.Verify(t.Context(), credentials{"rdp", name, "guess", false}, addr)
			least = min(least, processorTime(t)-start)
		}
		return least
	}
	known, unknown := cost("ann", "a"), cost("nobody", "b")
	if unknown < known/10 || known < unknown/10 {
		t.Errorf("a known name takes %v, an unknown one %v", known, unknown)
	}
}

// processorTime is what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestCredentials(t *testing.T) {
	l, _ := testLogin(t)
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	client := func(id, secret string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("auth-client-id", id); r.Header.Set("auth-client-secret", secret) }
	}
	tenant := func(name string, set func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) { set(r); r.Header.Set("x-rdp-tenantId", name) }
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, tt := range []struct {
		name, path string
		set        func(*http.Request)
		want       credentials
		err        error
	}{
		{"basic", "/dav/", basic("ann", "p:w"), credentials{"rdp", "ann", "p:w", false}, nil},
		{"basic with tenant", "/inventory/binaries", basic("acme/ann", "pw"), credentials{"acme", "ann", "pw", false}, nil},
		{"basic, first slash counts", "/dav/", basic("acme/ann/x", "pw"), credentials{"acme", "ann/x", "pw", false}, nil},
		{"basic, empty tenant", "/dav/", basic("/ann", "pw"), credentials{"", "ann", "pw", false}, nil},
		{"client id and secret", "/api/binarystreamobjectservice/get", client("ann", "pw"), credentials{"rdp", "ann", "pw", false}, nil},
		{"client id with tenant", "/api/x", client("acme/ann", "pw"), credentials{"acme", "ann", "pw", false}, nil},
		{"tenant in the path", "/acme/api/x", client("ann", "pw"), credentials{"acme", "ann", "pw", true}, nil},
		{"tenant in the header", "/api/x", tenant("acme", client("ann", "pw")), credentials{"acme", "ann", "pw", true}, nil},
		{"path before header", "/acme/api/x", tenant("rdp", client("ann", "pw")), credentials{"acme", "ann", "pw", true}, nil},
		{"tenant header of another face", "/dav/x", tenant("acme", basic("ann", "pw")), credentials{"rdp", "ann", "pw", false}, nil},
		{"authorization before client id", "/api/x", func(r *http.Request) { basic("ann", "pw")(r); client("bob", "x")(r) }, credentials{"rdp", "ann", "pw", false}, nil},
		{"secret missing", "/api/x", header("auth-client-id", "ann"), credentials{"rdp", "ann", "", false}, nil},
		{"nothing", "/dav/", func(*http.Request) {}, credentials{}, errNoCredentials},
		{"bearer", "/dav/", header("Authorization", "Bearer x"), credentials{}, errBadCredentials},
		{"broken basic", "/dav/", header("Authorization", "Basic !!!"), credentials{}, errBadCredentials},
		{"broken basic hides no client id", "/api/x", func(r *http.Request) { header("Authorization", "Basic !")(r); client("ann", "pw")(r) }, credentials{}, errBadCredentials},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, tt.path, nil)
			tt.set(r)
			got, err := l.credentials(r)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := newBackoff(func() time.Time { return now })
	fail := func(n int, addr, name string) {
		for range n {
			b.Failed(addr, name)
		}
	}
	blockedFor := func(addr, name string) time.Duration {
		start := now
		defer func() { now = start }()
		for b.Blocked(addr, name) {
			now = now.Add(backoffStep / 2)
		}
		return now.Sub(start)
	}
	fail(freePerName, "a", "ann")
	if d := blockedFor("a", "ann"); d != 0 {
		t.Errorf("free failures block for %v", d)
	}
	for i := range 3 {
		fail(1, "a", "ann")
		if got, want := blockedFor("a", "ann"), backoffStep<<i; got != want {
			t.Errorf("failure %d blocks for %v, want %v", i, got, want)
		}
	}
	if d := blockedFor("a", "bob") + blockedFor("b", "ann"); d != 0 {
		t.Errorf("others are blocked for %v", d)
	}
	fail(40, "a", "ann")
	if d := blockedFor("a", "ann"); d != backoffNameMax {
		t.Errorf("blocked for %v, want %v at most", d, backoffNameMax)
	}
	b.Passed("a", "ann")
	now = now.Add(backoffAddrMax)
	if b.Blocked("a", "ann") {
		t.Error("still blocked after a login")
	}
}

func TestBackoffOfAnAddress(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := newBackoff(func() time.Time { return now })
	for i := range freePerAddr + 20 {
		b.Failed("a", "user"+string(rune('a'+i)))
	}
	if !b.Blocked("a", "somebody new") {
		t.Error("an address may guess names without end")
	}
	if now = now.Add(backoffAddrMax); b.Blocked("a", "somebody new") {
		t.Error("people behind the same proxy are locked out for long")
	}
}

func TestBackoffIsBounded(t *testing.T) {
	b := newBackoff(time.Now)
	for i := range backoffMax + 1000 {
		b.Failed(time.Duration(i).String(), "x")
	}
	if n := b.by.Len(); n > backoffMax {
		t.Errorf("remembers %d", n)
	}
}

func TestPasswords(t *testing.T) {
	for p, ok := range map[string]bool{
		"correct horse": true, "8letters": true, "pässwörd": true, strings.Repeat("x", maxPassword): true,
		"": false, "7 chars": false, strings.Repeat("x", maxPassword+1): false, "new\nline": false, "\xff\xff\xff\xff\xff\xff\xff\xff": false,
	} {
		if err := checkPassword(p); (err == nil) != ok {
			t.Errorf("%q: %v", p, err)
		}
	}
	if a, b := randomPassword(), randomPassword(); a == b || checkPassword(a) != nil {
		t.Errorf("random passwords %q and %q", a, b)
	}
	if h := must(hashPassword("x")); !strings.HasPrefix(h, "$argon2id$v=19$m=12288,t=3,p=1$") {
		t.Errorf("hash %s", h)
	}
}
