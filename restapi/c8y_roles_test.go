package restapi

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// scene is what a request of the role matrix finds: an object, a binary and an event of one owner, and what belongs to them.
type scene struct {
	object, child, file, global, event, bare string // event has an attachment, bare has none
}

func (r *rig) scene(owner string) scene {
	as := "user: inva"
	body := `{"owner":"` + owner + `"}`
	s := scene{object: r.managed(body, as), child: r.managed(body, as), file: r.upload(body, "f", "x", as), global: r.upload(`{"owner":"`+owner+`","c8y_Global":{}}`, "g", "x", as)}
	r.link(s.object, "childAdditions", s.child)
	s.event, s.bare = r.event(r.eventBody(s.object)), r.event(r.eventBody(s.object))
	r.want(201, r.do("POST", "/event/events/"+s.event+"/binaries", "x", "user: eva"))
	return s
}

// deed is one thing that a user may do or not.
type deed struct {
	name   string
	method string
	path   func(scene) string
	body   func(*rig, scene) string
	status int
	roles  string // users who may, because of a role
	owner  bool   // the owner may
	all    bool   // everybody may
	header string
}

func text(s string) func(*rig, scene) string { return func(*rig, scene) string { return s } }

func deeds() []deed {
	const (
		all       = "root mira "
		binRead   = all + "reader invr binr"
		binWrite  = all + "inva bina"
		binCreate = binWrite + " invc binc owner"
		moRead    = all + "reader invr mor"
		moWrite   = all + "inva moa"
		moCreate  = moWrite + " invc owner"
		evRead    = all + "reader evr"
		evWrite   = all + "eva"
	)
	form := crlf("--q", `Content-Disposition: form-data; name="file"; filename="f"`, "", "x", "--q--", "")
	at := func(format string, pick func(scene) string) func(scene) string {
		return func(s scene) string { return fmt.Sprintf(format, pick(s)) }
	}
	object, file, global := func(s scene) string { return s.object }, func(s scene) string { return s.file }, func(s scene) string { return s.global }
	event, bare, child := func(s scene) string { return s.event }, func(s scene) string { return s.bare }, func(s scene) string { return s.child }
	fixed := func(p string) func(scene) string { return func(scene) string { return p } }
	ofChild := func(s scene) string { return "/inventory/managedObjects/" + s.object + "/childAdditions/" + s.child }
	return []deed{
		{name: "list binaries", method: "GET", path: fixed("/inventory/binaries"), status: 200, all: true},
		{name: "upload", method: "POST", path: fixed("/inventory/binaries"), body: text(form), header: "Content-Type: multipart/form-data; boundary=q", status: 201, roles: binCreate},
		{name: "download", method: "GET", path: at("/inventory/binaries/%s", file), status: 200, roles: binRead, owner: true},
		{name: "download a global one", method: "GET", path: at("/inventory/binaries/%s", global), status: 200, all: true},
		{name: "replace", method: "PUT", path: at("/inventory/binaries/%s", file), body: text("y"), status: 201, roles: binWrite, owner: true},
		{name: "replace a global one", method: "PUT", path: at("/inventory/binaries/%s", global), body: text("y"), status: 201, roles: binWrite, owner: true},
		{name: "delete a binary", method: "DELETE", path: at("/inventory/binaries/%s", file), status: 204, roles: binWrite, owner: true},

		{name: "list objects", method: "GET", path: fixed("/inventory/managedObjects"), status: 200, all: true},
		{name: "create an object", method: "POST", path: fixed("/inventory/managedObjects"), body: text("{}"), status: 201, roles: moCreate},
		{name: "read an object", method: "GET", path: at("/inventory/managedObjects/%s", object), status: 200, roles: moRead, owner: true},
		{name: "read a file's object", method: "GET", path: at("/inventory/managedObjects/%s", file), status: 200, roles: moRead, owner: true},
		{name: "read a global object", method: "GET", path: at("/inventory/managedObjects/%s", global), status: 200, all: true},
		{name: "change an object", method: "PUT", path: at("/inventory/managedObjects/%s", object), body: text(`{"a":1}`), status: 200, roles: moWrite, owner: true},
		{name: "change a file's object", method: "PUT", path: at("/inventory/managedObjects/%s", file), body: text(`{"a":1,"name":"n"}`), status: 200, roles: moWrite, owner: true},
		{name: "say that it lives", method: "PUT", path: at("/inventory/managedObjects/%s", object), body: text(`{"id":"1"}`), status: 200, roles: moWrite, owner: true},
		{name: "delete an object", method: "DELETE", path: at("/inventory/managedObjects/%s?cascade=true", object), status: 204, roles: moWrite, owner: true},
		{name: "delete a file's object", method: "DELETE", path: at("/inventory/managedObjects/%s", file), status: 204, roles: moWrite, owner: true},
		{name: "list children", method: "GET", path: at("/inventory/managedObjects/%s/childAdditions", object), status: 200, roles: moRead, owner: true},
		{name: "link a child", method: "POST", path: at("/inventory/managedObjects/%s/childAssets", object), status: 201, roles: moWrite, owner: true,
			body: func(_ *rig, s scene) string { return `{"managedObject":{"id":"` + s.child + `"}}` }},
		{name: "make a child", method: "POST", path: at("/inventory/managedObjects/%s/childAssets", object), body: text("{}"), status: 201, roles: moWrite},
		{name: "read a child", method: "GET", path: ofChild, status: 200, roles: moRead, owner: true},
		{name: "unlink a child", method: "DELETE", path: ofChild, status: 204, roles: moWrite, owner: true},

		{name: "list events", method: "GET", path: fixed("/event/events"), status: 200, all: true},
		{name: "create an event", method: "POST", path: fixed("/event/events"), status: 201, roles: evWrite, owner: true, body: func(r *rig, s scene) string { return r.eventBody(s.object) }},
		{name: "read an event", method: "GET", path: at("/event/events/%s", event), status: 200, roles: evRead, owner: true},
		{name: "change an event", method: "PUT", path: at("/event/events/%s", event), body: text(`{"text":"x"}`), status: 200, roles: evWrite, owner: true},
		{name: "delete an event", method: "DELETE", path: at("/event/events/%s", event), status: 204, roles: evWrite, owner: true},
		{name: "delete events of a source", method: "DELETE", path: at("/event/events?source=%s", object), status: 204, roles: evWrite, owner: true},
		{name: "delete events by time", method: "DELETE", path: fixed("/event/events?dateFrom=2100-01-01"), status: 204, roles: evWrite},
		{name: "read an attachment", method: "GET", path: at("/event/events/%s/binaries", event), status: 200, roles: evRead},
		{name: "attach", method: "POST", path: at("/event/events/%s/binaries", bare), body: text("x"), status: 201, roles: evWrite, owner: true},
		{name: "attach a piece", method: "POST", path: at("/event/events/%s/binaries", bare), body: text("x"), header: "Content-Range: 0-0/*", status: 200, roles: evWrite, owner: true},
		{name: "attach all pieces", method: "POST", path: at("/event/events/%s/binaries", bare), body: text("x"), header: "Content-Range: 0-0/1", status: 201, roles: evWrite, owner: true},
		{name: "replace an attachment", method: "PUT", path: at("/event/events/%s/binaries", event), body: text("y"), status: 201, roles: evWrite, owner: true},
		{name: "make an attachment", method: "PUT", path: at("/event/events/%s/binaries", bare), body: text("y"), status: 201, roles: evWrite, owner: true},
		{name: "remove an attachment", method: "DELETE", path: at("/event/events/%s/binaries", event), status: 204, roles: evWrite, owner: true},

		{name: "current tenant", method: "GET", path: fixed("/tenant/currentTenant"), status: 200, all: true},
		{name: "current user", method: "GET", path: fixed("/user/currentUser"), status: 200, all: true},
		{name: "change the current user", method: "PUT", path: fixed("/user/currentUser"), status: 200, all: true},
		{name: "log out", method: "POST", path: fixed("/user/logout"), status: 200, all: true},
		{name: "login options", method: "GET", path: fixed("/tenant/loginOptions"), status: 200, all: true},
		{name: "version", method: "GET", path: fixed("/tenant/system/options/system/version"), status: 200, all: true},
		{name: "platform", method: "GET", path: fixed("/platform"), status: 200, all: true},
		{name: "inventory", method: "GET", path: fixed("/inventory"), status: 200, all: true},
		{name: "event", method: "GET", path: fixed("/event"), status: 200, all: true},
		{name: "child of the child", method: "GET", path: at("/inventory/managedObjects/%s/childAdditions", child), status: 200, roles: moRead, owner: true},
	}
}

// Every role, every endpoint, owner or not.
func TestRoleMatrix(t *testing.T) {
	r := newRig(t)
	n, scenes := 0, map[string]scene{}
	for _, d := range deeds() {
		for user := range users {
			for _, owned := range []bool{false, true} {
				owner := "somebody"
				if owned {
					owner = user
				}
				s, ok := scenes[owner]
				if !ok {
					s = r.scene(owner)
					scenes[owner] = s
				}
				body := ""
				if d.body != nil {
					body = d.body(r, s)
				}
				want := 403
				if d.all || strings.Contains(" "+d.roles+" ", " "+user+" ") || d.owner && owned {
					want = d.status
				}
				if d.name == "make a child" && owned && strings.Contains(" owner invc ", " "+user+" ") { // who may make objects, and owns the parent
					want = d.status
				}
				h := []string{"user: " + user}
				if d.header != "" {
					h = append(h, d.header)
				}
				if a := r.do(d.method, d.path(s), body, h...); a.status != want {
					t.Errorf("%s by %s, owner %v: %d, want %d: %s", d.name, user, owned, a.status, want, a.body)
				}
				if n++; want < 300 && d.method != "GET" {
					delete(scenes, owner) // it is not what it was
				}
			}
		}
	}
	t.Logf("%d requests", n)
	covered := map[string]bool{}
	s := scene{"{id}", "{child}", "{id}", "{id}", "{id}", "{id}"}
	for _, d := range deeds() {
		path, _, _ := strings.Cut(d.path(s), "?")
		path = strings.NewReplacer("childAdditions", "{kin}", "childAssets", "{kin}").Replace(path)
		covered[d.method+" "+path] = true
	}
	for _, e := range c8yEndpoints() {
		if !covered[e.method+" "+e.path] && !(e.open && e.method == "POST") {
			t.Errorf("no deed for %s %s", e.method, e.path)
		}
	}
}

// Lists show what may be read one by one, and nothing else.
func TestRoles_Lists(t *testing.T) {
	r := newRig(t)
	mine, other := r.scene("nobody"), r.scene("somebody")
	for user := range users {
		for _, c := range []struct{ path, key, one, mine, other string }{
			{"/inventory/binaries?pageSize=100&text=f", "managedObjects", "/inventory/binaries/", mine.file, other.file},
			{"/inventory/managedObjects?pageSize=100", "managedObjects", "/inventory/managedObjects/", mine.object, other.object},
			{"/event/events?pageSize=100", "events", "/event/events/", mine.event, other.event},
		} {
			listed := " " + ids(r.getJSON(c.path, "user: "+user), c.key) + " "
			for _, id := range []string{c.mine, c.other} {
				may := r.do("GET", c.one+id, "", "user: "+user).status == 200
				if got := strings.Contains(listed, " "+id+" "); got != may {
					t.Errorf("%s for %s: %s listed %v, readable %v", c.path, user, id, got, may)
				}
			}
		}
	}
}

// A thousand requests of one tenant about what another one has: none may succeed, and nothing may change.
func TestTenants_RandomRequests(t *testing.T) {
	r := newRig(t)
	s := r.scene("mira")
	bso := r.do("POST", "/api/binarystreamobjectservice/create", `{"binaryStreamObject":{"id":"secret","type":"t","properties":{"objectKey":"secret.txt"}}}`)
	r.want(200, bso)
	r.put("/secret/file.txt", "secret bytes")
	before := []string{fmt.Sprint(r.tree()), r.do("GET", "/inventory/managedObjects?pageSize=100", "").body, r.do("GET", "/event/events?pageSize=100", "").body}
	targets := []string{s.object, s.child, s.file, s.global, s.event, s.bare, "1", "2"}
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(list []string) string { return list[rnd.IntN(len(list))] }
	methods := []string{"GET", "HEAD", "PUT", "POST", "DELETE"}
	for i := range 1000 {
		id := pick(targets)
		path := pick([]string{
			"/inventory/binaries/" + id, "/inventory/managedObjects/" + id, "/inventory/managedObjects/" + id + "/childAdditions", "/inventory/managedObjects/" + id + "/childAssets/" + s.child,
			"/event/events/" + id, "/event/events/" + id + "/binaries", "/inventory/managedObjects/" + id + "/childDevices/" + pick(targets),
		})
		method, body := pick(methods), pick([]string{"", "{}", `{"text":"x"}`, `{"name":"taken over"}`, `{"managedObject":{"id":"` + s.object + `"}}`, r.eventBody(s.object)})
		headers := []string{"user: other/" + pick([]string{"root", "mira", "inva", "bina", "eva"}), pick([]string{"X: y", "Content-Range: 0-0/*", "Content-Range: 0-1/2", "X-HTTP-METHOD: DELETE", "X-HTTP-METHOD: PUT", "Range: bytes=0-", "x-rdp-tenantId: rdp"})}
		if a := r.do(method, path, body, headers...); a.status < 400 {
			t.Errorf("%d: %s %s %v: %d %s", i, method, path, headers, a.status, a.body)
		}
	}
	for i := range 200 { // and what looks at everything
		id := pick(targets)
		q := pick([]string{"", "ids=" + id, "query=id%20eq%20'" + id + "'", "text=f", "owner=mira", "childAdditionId=" + s.child, "source=" + s.object, "fragmentType=c8y_Global", "type=*", "pageCursor=1.5.-1~1", "onlyRoots=true"})
		for path, key := range map[string]string{"/inventory/binaries": "managedObjects", "/inventory/managedObjects": "managedObjects", "/event/events": "events"} {
			if a := r.do("GET", path+"?"+q, "", "user: other/root"); a.status != 200 || len(a.json(t)[key].([]any)) > 0 {
				t.Errorf("%d: %s?%s: %d %s", i, path, q, a.status, a.body)
			}
		}
	}
	r.want(204, r.do("DELETE", "/event/events?source="+s.object, "", "user: other/root"))
	r.want(204, r.do("DELETE", "/event/events?createdFrom=1970-01-01", "", "user: other/root"))
	mine := r.managed(`{}`, "user: other/root")
	for _, id := range targets {
		r.want(422, r.do("POST", "/inventory/managedObjects/"+mine+"/childAssets", `{"managedObject":{"id":"`+id+`"}}`, "user: other/root"))
		r.want(422, r.do("POST", "/event/events", r.eventBody(id), "user: other/root"))
	}
	after := []string{fmt.Sprint(r.tree()), r.do("GET", "/inventory/managedObjects?pageSize=100", "").body, r.do("GET", "/event/events?pageSize=100", "").body}
	r.equal("the tenant", after, before)
}
