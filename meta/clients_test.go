package meta

import (
	"reflect"
	"syscall"
	"testing"
)

func TestClients(t *testing.T) {
	db := newDB(t)
	ctx := t.Context()
	a := Client{Tenant: "rdp", ID: "a", Hash: "h", Key: []byte{1, 0, 2}, Roles: []string{"editor"}, Created: 5, Updated: 6}
	b := Client{Tenant: "rdp", ID: "b", Hash: "h2", Created: 7, Updated: 7}
	for _, c := range []Client{b, a} {
		if err := db.AddClient(ctx, c, Durable); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, db.AddClient(ctx, a, Durable), syscall.EEXIST)
	wantErr(t, db.AddClient(ctx, Client{Tenant: "rdp"}, Durable), syscall.EINVAL)
	wantErr(t, db.AddClient(ctx, Client{Tenant: "none", ID: "a"}, Durable), syscall.ENOENT)
	if got, err := db.GetClient(ctx, "rdp", "a"); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("client is %+v, %v", got, err)
	}
	if got, err := db.Clients(ctx, "rdp"); err != nil || !reflect.DeepEqual(got, []Client{a, b}) {
		t.Errorf("clients are %+v, %v", got, err)
	}
	if got, err := db.SigningClients(ctx, "rdp"); err != nil || !reflect.DeepEqual(got, []Client{a}) {
		t.Errorf("signing clients are %+v, %v", got, err)
	}
	if got, err := db.Clients(ctx, "other"); err != nil || len(got) != 0 {
		t.Errorf("clients of another tenant are %+v, %v", got, err)
	}
	if err := db.DeleteClient(ctx, "rdp", "a", Durable); err != nil {
		t.Fatal(err)
	}
	wantErr(t, db.DeleteClient(ctx, "rdp", "a", Durable), syscall.ENOENT)
	_, err := db.GetClient(ctx, "rdp", "a")
	wantErr(t, err, syscall.ENOENT)
}

func TestTenantOptions(t *testing.T) {
	db := newDB(t)
	ctx := t.Context()
	if _, err := db.EnsureTenant(ctx, "acme", 0o755, 0, 0, Durable); err != nil {
		t.Fatal(err)
	}
	if doc, err := db.TenantOptions(ctx, "acme"); err != nil || doc != nil {
		t.Errorf("options are %s, %v", doc, err)
	}
	for _, want := range []string{`{"a":1}`, `{}`} {
		if err := db.PutTenantOptions(ctx, "acme", []byte(want), Durable); err != nil {
			t.Fatal(err)
		}
		if doc, err := db.TenantOptions(ctx, "acme"); err != nil || string(doc) != want {
			t.Errorf("options are %s, %v", doc, err)
		}
	}
	wantErr(t, db.PutTenantOptions(ctx, "none", []byte("{}"), Durable), syscall.ENOENT)
	if err := db.AddClient(ctx, Client{Tenant: "acme", ID: "a"}, Durable); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteTenant(ctx, "acme", Durable); err != nil {
		t.Fatal(err)
	}
	if _, err := db.EnsureTenant(ctx, "acme", 0o755, 0, 0, Durable); err != nil {
		t.Fatal(err)
	}
	doc, err := db.TenantOptions(ctx, "acme")
	list, lerr := db.Clients(ctx, "acme")
	if doc != nil || len(list) != 0 || err != nil || lerr != nil {
		t.Errorf("a new tenant has %s %v of an old one: %v %v", doc, list, err, lerr)
	}
}
