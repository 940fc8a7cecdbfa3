package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTenantNames(t *testing.T) {
	for _, name := range []string{"a", "acme", "t1", "0", "rdw-az-dev2", "a_b", strings.Repeat("x", 63)} {
		if err := checkTenantName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "A", "a b", "a/b", "..", ".a", "-a", "_a", "a.b", "ä", "a:b", "a\x00", strings.Repeat("x", 64), "api", "dav", "inventory", "event", "docs"} {
		if err := checkTenantName(name); err == nil {
			t.Errorf("%q is a tenant name", name)
		}
	}
}

// The commands about tenants, against a running server and without one.
func TestTenantCommands(t *testing.T) {
	cfg := testConfig(t)
	s := startProgram(t, cfg)
	for _, running := range []bool{true, false} {
		if !running {
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		do := func(args ...string) outcome {
			t.Helper()
			return toteIn(t, "a good password\n", append(args, "--data", cfg.Data)...)
		}
		o := do("tenant", "add", "acme")
		o.want(t, exitOK)
		if !strings.Contains(o.stdout, "tote user add NAME --tenant acme") {
			t.Errorf("says %q", o.stdout)
		}
		do("tenant", "add", "acme").want(t, exitUsage, "tenant acme exists")
		do("tenant", "add", "Acme").want(t, exitUsage, "lower-case")
		do("tenant", "add", "api").want(t, exitUsage, "means something else")
		do("tenant", "add").want(t, exitUsage, "usage: tote tenant add TENANT")
		do("user", "add", "ann", "--tenant", "acme", "--role", "ROLE_INVENTORY_READ", "--role", "ROLE_EVENT_ADMIN").want(t, exitOK)
		do("user", "add", "acme/bob", "--role", "ROLE_MANAGED_OBJECT_READ").want(t, exitOK)
		do("user", "add", "acme/eve", "--tenant", "acme").want(t, exitUsage, "leave out --tenant")
		do("user", "add", "ann", "--tenant", "none").want(t, exitUsage, "no tenant", "tote tenant add none")
		do("user", "passwd", "ann", "--tenant", "acme").want(t, exitOK)
		do("user", "role", "ann", "reader", "--tenant", "acme").want(t, exitOK)
		if o := do("user", "ls", "--tenant", "acme"); !strings.Contains(o.stdout, "ann  reader") || !strings.Contains(o.stdout, "bob") || strings.Contains(o.stdout, "admin") {
			t.Errorf("users of acme: %q", o.stdout)
		}
		if o := do("user", "ls"); strings.Contains(o.stdout, "ann") || !strings.Contains(o.stdout, "admin") {
			t.Errorf("users of rdp: %q", o.stdout)
		}
		do("user", "ls", "acme", "--tenant", "acme").want(t, exitUsage, "once")
		do("user", "rm", "bob", "--tenant", "acme").want(t, exitOK)
		do("user", "rm", "bob", "--tenant", "acme").want(t, exitUsage, "no user acme/bob")
		o = do("tenant", "ls", "--json")
		var list []tenantInfo
		if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || len(list) != 2 || list[1] != (tenantInfo{Name: "acme", Users: 1}) {
			t.Errorf("tenants: %s %v", o.stdout, err)
		}
		if o := do("tenant", "ls"); !strings.Contains(o.stdout, "rdp") || !strings.Contains(o.stdout, "acme  1 users  0 files  0 B") {
			t.Errorf("tenants: %q", o.stdout)
		}
		do("tenant", "rm", "none").want(t, exitUsage, "no tenant")
		do("tenant", "rm", "rdp", "--force").want(t, exitUsage, "stays")
		do("tenant", "rm", "acme").want(t, exitUsage, "0 files and 1 users", "--force")
		do("tenant", "rm", "acme", "--force").want(t, exitOK)
		do("tenant", "rm", "acme").want(t, exitUsage, "no tenant")
	}
}

// A removed tenant's users and files are gone at once; a new one with its name begins empty.
func TestTenantRemoval(t *testing.T) {
	cfg := testConfig(t)
	s := startProgram(t, cfg)
	fresh := func() {
		t.Helper()
		tote(t, "tenant", "add", "acme", "--data", cfg.Data).want(t, exitOK)
		toteIn(t, "a good password\n", "user", "add", "ann", "--tenant", "acme", "--role", "admin", "--data", cfg.Data).want(t, exitOK)
	}
	const ann = "acme/ann:a good password"
	fresh()
	if status, _, body := request(t, "PUT", s.URL+"/dav/f", ann, "acme's"); status != 201 {
		t.Fatalf("PUT: %d %s", status, body)
	}
	if status, _, body := request(t, "POST", s.URL+"/inventory/managedObjects", ann, `{"name":"x"}`, "Content-Type", "application/json"); status != 201 {
		t.Fatalf("POST: %d %s", status, body)
	}
	tote(t, "tenant", "rm", "acme", "--data", cfg.Data).want(t, exitUsage, "1 files and 1 users")
	tote(t, "tenant", "rm", "acme", "--force", "--data", cfg.Data).want(t, exitOK)
	if status, _, _ := request(t, "GET", s.URL+"/dav/f", ann, ""); status != 401 {
		t.Errorf("a user of a removed tenant: %d", status)
	}
	fresh()
	if status, _, _ := request(t, "GET", s.URL+"/dav/f", ann, ""); status != 404 {
		t.Errorf("the file of the tenant before: %d", status)
	}
	if _, _, body := request(t, "GET", s.URL+"/inventory/managedObjects", ann, ""); !strings.Contains(body, `"managedObjects":[]`) {
		t.Errorf("objects of the tenant before: %s", body)
	}
	if status, _, _ := request(t, "PUT", s.URL+"/dav/g", ann, "new"); status != 201 {
		t.Errorf("the new tenant does not take files: %d", status)
	}
}

// --mount shows the files of one tenant, and that tenant can't be removed meanwhile.
func TestMountOfATenant(t *testing.T) {
	needFUSE(t)
	dir := t.TempDir()
	data, mnt, addr := filepath.Join(dir, "data"), filepath.Join(dir, "mnt"), freeAddr(t)
	if err := os.Mkdir(mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	c := spawn(t, []string{adminPasswordEnv + "=correct horse"}, "serve", "--data", data, "--listen", addr, "--mount", mnt, "--tenant", "acme")
	if code := c.exit(t); code != exitUsage || !strings.Contains(c.err.String(), `no tenant "acme": tote tenant add acme makes it`) {
		t.Fatalf("without the tenant: %d %s", code, c.err.String())
	}
	tote(t, "tenant", "add", "acme", "--data", data).want(t, exitOK)
	toteIn(t, "a good password\n", "user", "add", "ann", "--tenant", "acme", "--role", "admin", "--data", data).want(t, exitOK)
	c = spawn(t, nil, "serve", "--data", data, "--listen", addr, "--mount", mnt, "--tenant", "acme")
	c.ready(t)
	if status, _, body := request(t, "PUT", "http://"+addr+"/dav/from-dav", "acme/ann:a good password", "acme's"); status != 201 {
		t.Fatalf("PUT: %d %s", status, body)
	}
	if status, _, body := request(t, "PUT", "http://"+addr+"/dav/rdp", "admin:correct horse", "rdp's"); status != 201 {
		t.Fatalf("PUT: %d %s", status, body)
	}
	if b, err := os.ReadFile(filepath.Join(mnt, "from-dav")); err != nil || string(b) != "acme's" {
		t.Errorf("the mount reads %q, %v", b, err)
	}
	if names, err := os.ReadDir(mnt); err != nil || len(names) != 1 {
		t.Errorf("the mount shows %v, %v", names, err)
	}
	if err := os.WriteFile(filepath.Join(mnt, "from-mount"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _, body := request(t, "GET", "http://"+addr+"/dav/from-mount", "acme/ann:a good password", ""); status != 200 || body != "x" {
		t.Errorf("what the mount wrote: %d %q", status, body)
	}
	if status, _, _ := request(t, "GET", "http://"+addr+"/dav/from-mount", "admin:correct horse", ""); status != 404 {
		t.Errorf("the other tenant sees it: %d", status)
	}
	tote(t, "tenant", "rm", "acme", "--force", "--data", data).want(t, exitBusy, "is mounted on "+mnt)
	tote(t, "serve", "--data", filepath.Join(dir, "other"), "--tenant", "acme").want(t, exitUsage, "--tenant needs --mount")
}
