package main

import (
	"strings"
	"testing"
	"time"

	"tote/meta"
)

// The commands about locks, against a running server and without one.
func TestLockCommands(t *testing.T) {
	cfg := testConfig(t)
	s := startProgram(t, cfg)
	tenant, err := s.core.db.TenantByName(t.Context(), defaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"urn:uuid:one", "urn:uuid:two"} {
		l := meta.Lock{Token: token, Tenant: tenant.ID, Path: "/dir/" + token[9:] + "\n", Infinite: true, User: "ann", Expires: time.Now().Add(time.Hour)}
		if err := s.core.db.AddLock(t.Context(), l, meta.Precondition{}, nil, meta.Durable); err != nil {
			t.Fatal(err)
		}
	}
	do := func(args ...string) outcome {
		t.Helper()
		return tote(t, append(append([]string{"lock"}, args...), "--data", cfg.Data)...)
	}
	o := do("ls")
	o.want(t, exitOK)
	if strings.Count(o.stdout, "\n") != 2 || !strings.Contains(o.stdout, "ann") || !strings.Contains(o.stdout, "exclusive, tree") {
		t.Errorf("lists %q", o.stdout)
	}
	do("rm", "urn:uuid:one").want(t, exitOK)
	do("rm", "urn:uuid:one").want(t, exitUsage, "no lock", "tote lock ls")
	do("ls", "--tenant", "none").want(t, exitUsage, "no tenant")
	do("rm").want(t, exitUsage, "usage: tote lock rm TOKEN")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if o := do("ls", "--json"); !strings.Contains(o.stdout, `"token": "urn:uuid:two"`) || strings.Contains(o.stdout, "one") {
		t.Errorf("lists %q", o.stdout)
	}
	do("rm", "urn:uuid:two").want(t, exitOK)
	if o := do("ls"); o.stdout != "" {
		t.Errorf("still lists %q", o.stdout)
	}
}
