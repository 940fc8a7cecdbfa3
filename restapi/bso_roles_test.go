package restapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// bsoDeed is an operation on an object, or a use of a URL that it gave.
type bsoDeed struct {
	name  string
	roles string // users who may, because of a role
	owner string // users who may when the object is theirs
	do    func(r *rig, id, user string) bool
}

func bsoDeeds() []bsoDeed {
	const (
		read   = "root mira reader invr binr"
		write  = "root mira inva bina"
		create = write + " invc binc owner"
	)
	every := strings.Join(slices.Collect(maps.Keys(users)), " ")
	call := func(op, body string) func(*rig, string, string) bool {
		return func(r *rig, id, user string) bool {
			m := r.bso(op, strings.ReplaceAll(body, "ID", id), "user: "+user)
			if m["status"] != "success" && code(m) != "PD001" {
				r.Errorf("%s by %s: %v", op, user, m)
			}
			return m["status"] == "success"
		}
	}
	object := `{"binaryStreamObject":{"id":"ID","properties":{"objectKey":"ID.txt"}}}`
	// through asks for a URL and uses it; neither may work for who may not.
	through := func(op, property, method string) func(*rig, string, string) bool {
		return func(r *rig, id, user string) bool {
			m := r.bso(op, strings.ReplaceAll(object, "ID", id), "user: "+user)
			if m["status"] != "success" {
				return false
			}
			u := objects(m)[0]["properties"].(map[string]any)[property].(string)
			a := r.do(method, strings.Replace(u, "/replacementObjectKey", "/"+id+".txt", 1), "new", "user:")
			if a.status >= 300 && a.status != 403 {
				r.Errorf("%s by %s: %d %s", op, user, a.status, a.body)
			}
			return a.status < 300
		}
	}
	return []bsoDeed{
		{"get", read, "", call("get", `{"params":{"query":{"id":"ID"}}}`)},
		{"prepareDownload", read, every, call("prepareDownload", object)},
		{"download", read, every, through("prepareDownload", "downloadURL", "GET")},
		{"downloadContinuous", read, "", through("downloadContinuous", "downloadContinuousURL", "GET")},
		{"prepareUpload", create, "", call("prepareUpload", `{"binaryStreamObject":{"properties":{"objectKey":"ID-other.txt"}}}`)},
		{"uploadContinuous", create, "", call("uploadContinuous", `{"binaryStreamObject":{"type":"t"}}`)},
		{"create another", create, "", call("create", `{"binaryStreamObject":{"id":"ID-new"}}`)},
		{"create over it", write, create, call("create", `{"binaryStreamObject":{"id":"ID","properties":{"objectKey":"ID.txt","user":"thief"}}}`)},
		{"update", write, every, call("update", `{"binaryStreamObject":{"id":"ID","properties":{"note":"x"}}}`)},
		{"upload over it", write, create, through("prepareUpload", "uploadURL", "PUT")},
		{"uploadContinuous over it", write, create, through("uploadContinuous", "uploadContinuousURL", "PUT")},
		{"delete", write, every, call("delete", `{"binaryStreamObject":{"id":"ID"}}`)},
	}
}

func in(list, user string) bool { return slices.Contains(strings.Fields(list), user) }

// Every role, every operation and the URLs that they give, owner or not.
func TestBSO_RoleMatrix(t *testing.T) {
	r := newRig(t)
	n := 0
	for i, d := range bsoDeeds() {
		for user := range users {
			for _, owned := range []bool{false, true} {
				owner := "somebody"
				if owned {
					owner = user
				}
				id := fmt.Sprintf("o%d-%s-%v", i, user, owned)
				r.stored(`{"id":"`+id+`","properties":{"objectKey":"`+id+`.txt","user":"`+owner+`"}}`, "old")
				want := in(d.roles, user) || owned && in(d.owner, user)
				if got := d.do(r, id, user); got != want {
					t.Errorf("%s by %s, owner %v: %v, want %v", d.name, user, owned, got, want)
				}
				n++
			}
		}
	}
	t.Logf("%d requests", n)
}
