package restapi

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// withTenants gives tenant rdp options that the test can change.
func withTenants(now *TenantOptions) func(*Options) {
	return func(o *Options) {
		o.TenantOptions = func(_ context.Context, tenant string) (TenantOptions, error) {
			if tenant == "rdp" {
				return *now, nil
			}
			return TenantOptions{}, nil
		}
	}
}

func TestPermits(t *testing.T) {
	object := func(user, role, ownership string) *object {
		props := map[string]string{"user": user, "role": role, "ownershipData": ownership}
		o := &object{props: map[string]json.RawMessage{}}
		for name, v := range props {
			if v != "" {
				o.props[name] = []byte(v)
			}
		}
		return o
	}
	for _, c := range []struct {
		user, role, ownership string // as JSON
		who                   claims
		want                  bool
	}{
		{"", "", "", claims{User: "x"}, true},
		{`""`, `""`, "null", claims{User: "x"}, true},
		{`"ana@shop.test"`, "", "", claims{User: "ana@shop.test"}, true},
		{`"ana@shop.test"`, "", "", claims{User: "bob@shop.test"}, false},
		{`"ana@shop.test"`, "", "", claims{User: "p", As: "ana@shop.test_user", Delegate: true}, true},
		{`"ana@shop.test_user"`, "", "", claims{User: "p", As: "ana@shop.test", Delegate: true}, true},
		{`"ana@shop.test"`, "", "", claims{User: "eve", As: "ana@shop.test"}, false}, // only programs speak for others
		{"", `"vendor"`, "", claims{User: "x", Roles: []string{"vendor"}}, true},
		{"", `"vendor"`, "", claims{User: "eve", RoleText: "vendor"}, false},
		{"", `"vendor"`, "", claims{User: "p", RoleText: "admin,vendor", Delegate: true}, true},
		{"", `"vendor"`, "", claims{User: "p", RoleText: `["admin","vendor"]`, Delegate: true}, true},
		{"", `"vendor"`, "", claims{User: "p", RoleText: `vendor`, Delegate: true}, true},
		{"", `"vendor"`, "", claims{User: "p", RoleText: `admin`, Delegate: true}, false},
		{"", `"admin,vendor"`, "", claims{User: "p", RoleText: `vendor`, Delegate: true}, true},
		{"", `["admin","vendor"]`, "", claims{User: "p", RoleText: `vendor`, Delegate: true}, true},
		{"", "", `"ShopA"`, claims{User: "p", OwnerText: `["ShopB","ShopA"]`, Delegate: true}, true},
		{"", "", `"ShopA"`, claims{User: "p", OwnerText: `ShopB`, Delegate: true}, false},
		{"", "", `"ShopA"`, claims{User: "x", Ownership: []string{"ShopA"}}, true},
		{`"ana"`, `"vendor"`, `"ShopA"`, claims{User: "bob", Roles: []string{"vendor"}}, true}, // any one is enough
		{`"ana"`, `"vendor"`, `"ShopA"`, claims{User: "bob", Roles: []string{"boss"}}, false},
		{`"ana"`, "", "", claims{User: "root", Roles: []string{"admin"}}, true},
		{`"ana"`, "", "", claims{User: "root", As: "bob", Roles: []string{"admin"}}, false}, // acts for bob
		{`"ana"`, "", "", claims{User: "root", As: "ana", Roles: []string{"admin"}}, true},
		{`"ana"`, "", "", claims{User: "p", Roles: []string{"admin"}, Delegate: true}, false},
	} {
		if got := object(c.user, c.role, c.ownership).permits(c.who.caller()); got != c.want {
			t.Errorf("%s %s %s for %+v is %v", c.user, c.role, c.ownership, c.who, got)
		}
	}
}

// Section by section: off is the default, on refuses every operation of who is not named, accommodate only concerns get.
func TestPermissions(t *testing.T) {
	var tenant TenantOptions
	r := newRig(t, withTenants(&tenant))
	ana := []string{"user: program", "x-rdp-userId: ana", "x-rdp-userRoles: vendor"}
	bob := []string{"user: program", "x-rdp-userId: bob", `x-rdp-userRoles: ["buyer"]`}
	r.stored(`{"id":"a","properties":{"objectKey":"a.txt","user":"ana","role":"vendor"}}`, "aaa")
	r.stored(`{"id":"free","properties":{"objectKey":"free.txt","user":"","role":""}}`, "fff")
	r.ok("update", `{"binaryStreamObject":{"id":"free","properties":{"user":null,"role":null}}}`)
	const one = `{"binaryStreamObject":{"id":"a","type":"binarystreamobject","properties":{"objectKey":"a.txt","n":1}},"params":{"query":{"id":"a"}}}`
	urls := map[string]string{"GET": r.downloadURL(`{"id":"a"}`)}
	urls["PUT"], _, _ = r.uploadURL(`{"id":"a","properties":{"objectKey":"a.txt"}}`, bob...)
	_, shared := r.continuous("downloadContinuous", `{"type":"binarystreamobject"}`, bob...)

	ops := []string{"get", "prepareDownload", "prepareUpload", "update", "create"}
	for _, op := range ops {
		r.ok(op, one, bob...)
	}
	r.ok("update", `{"binaryStreamObject":{"id":"a","properties":{"user":"ana","role":"vendor"}}}`)
	tenant.Permissions = true
	for _, op := range append(ops, "delete") {
		m := r.bso(op, one, bob...)
		r.equal(op, code(m), "PD001")
	}
	r.blobError(403, "AuthorizationFailure", r.do("PUT", urls["PUT"], "evil", "user:"))
	r.blobError(403, "AuthorizationFailure", r.do("PUT", blockURL(urls["PUT"], "a"), "evil", "user:"))
	r.blobError(403, "AuthorizationFailure", r.do("GET", shared("a.txt"), "", "user:"))
	r.equal("free", r.do("GET", shared("free.txt"), "", "user:").body, "fff")
	r.blobError(403, "AuthorizationFailure", r.do("GET", urls["GET"], "", "user:")) // mira made it, and is not named either
	r.equal("bytes", r.cat("/assets/a.txt"), "aaa")
	for _, op := range ops[:4] {
		r.ok(op, one, ana...)
	}
	r.want(200, r.do("GET", r.downloadURL(`{"id":"a"}`, ana...), "", "user:"))

	all := func(params string, headers []string) (ids []string) {
		for _, o := range objects(r.ok("get", `{"params":{"query":{"filters":{"typesCriterion":["ALL"]}}`+params+`}}`, headers...)) {
			ids = append(ids, o["id"].(string))
		}
		return ids
	}
	r.equal("all", code(r.bso("get", `{"params":{"query":{"filters":{"typesCriterion":["ALL"]}}}}`, bob...)), "PD001")
	r.equal("accommodated", all(`,"authorizationType":"accommodate"`, bob), []string{"free"})
	r.equal("a page of them", all(`,"authorizationType":"accommodate","options":{"maxRecords":1}`, bob), []string{"free"})
	r.equal("all for ana", len(all(`,"authorizationType":"reject"`, ana)), 2)
	r.equal("all for an administrator", len(all("", []string{"user: root"})), 2)
	r.equal("others still reject", code(r.bso("delete", `{"params":{"authorizationType":"accommodate"},"binaryStreamObject":{"id":"a"}}`, bob...)), "PD001")
	r.equal("accommodated by id", len(objects(r.ok("get", `{"params":{"authorizationType":"accommodate","query":{"id":"a"}}}`, bob...))), 0)
	r.ok("delete", one, ana...)
}

func TestDelete_KeepBlobs(t *testing.T) {
	tenant := TenantOptions{KeepBlobs: true}
	r := newRig(t, withTenants(&tenant))
	r.stored(lamp, "light")
	r.ok("delete", `{"binaryStreamObject":{"id":"9b6c1f0e"}}`)
	r.equal("object", len(objects(r.ok("get", `{"params":{"query":{"id":"9b6c1f0e"}}}`))), 0)
	r.equal("bytes", r.cat("/catalog/2026/lamp.png"), "light")
	o, p := r.one(`{"id":"lamp@_@9b6c1f0e.png"}`)
	if o["id"] == "9b6c1f0e" || p["role"] != nil {
		t.Errorf("the file is still %v %v", o, p)
	}
	r.stored(lamp, "again")
	r.equal("bytes", r.cat("/catalog/2026/lamp.png"), "again")
	tenant.KeepBlobs = false
	r.ok("delete", `{"binaryStreamObject":{"id":"9b6c1f0e"}}`)
	if slices.ContainsFunc(r.tree(), func(p string) bool { return strings.Contains(p, "lamp") }) {
		t.Errorf("tree is %v", r.tree())
	}
}
