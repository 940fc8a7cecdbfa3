package restapi

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"tote/fs"
)

// A large document waits while as many as may be are being worked on; a small one does not.
func TestHeavy_Waits(t *testing.T) {
	r := newRig(t)
	large := `{"a":"` + strings.Repeat("x", lightJSON) + `"}`
	bso := `{"binaryStreamObject":{"id":"large","properties":{"objectKey":"k","x":"` + strings.Repeat("x", lightJSON) + `"}}}`
	h := r.api.s.heavy
	for range heavyDecodes {
		h.decodes <- struct{}{}
	}
	answers := make(chan answer, 2)
	go func() { answers <- r.do("POST", "/inventory/managedObjects", large) }()
	go func() { answers <- r.do("POST", svc+"create", bso) }()
	r.want(201, r.do("POST", "/inventory/managedObjects", `{"a":1}`))
	if len(answers) > 0 {
		t.Errorf("a large document did not wait: %v", <-answers)
	}
	for range heavyDecodes {
		<-h.decodes
	}
	for range 2 {
		if a := <-answers; a.status != 200 && a.status != 201 {
			t.Errorf("after its turn came: %d %s", a.status, a.body)
		}
	}
	for what, body := range map[string]string{"too large": `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, "no JSON": strings.Repeat("x", lightJSON+1), "no object": "[" + strings.Repeat("1,", lightJSON) + "1]"} {
		for range 2 * heavyReads {
			if a := r.do("POST", "/inventory/managedObjects", body); a.status < 400 || a.status >= 500 {
				t.Errorf("%s: %d", what, a.status)
			}
		}
	}
	r.equal("places that are taken", fmt.Sprint(len(h.reads), len(h.decodes)), "0 0")
	if err := take(make(chan struct{}), 1); fs.Errno(err) != syscall.EAGAIN {
		t.Errorf("without a place: %v", err)
	}
}

// An object has a bounded number of members, whichever way it comes.
func TestMembers_Bounded(t *testing.T) {
	r := newRig(t)
	for n, ok := range map[int]bool{maxMembers: true, maxMembers + 1: false} {
		members := make([]string, n)
		for i := range members {
			members[i] = fmt.Sprintf(`"m%d":0`, i)
		}
		object := "{" + strings.Join(members, ",") + "}"
		form := crlf("--q", `Content-Disposition: form-data; name="object"`, "", object, "--q", `Content-Disposition: form-data; name="file"; filename="f"`, "", "x", "--q--", "")
		a := r.do("POST", "/inventory/managedObjects", object)
		r.equal("object", fmt.Sprint(a.status), map[bool]string{true: "201", false: "422"}[ok])
		a = r.do("POST", "/inventory/binaries", form, "Content-Type: multipart/form-data; boundary=q")
		r.equal("form", fmt.Sprint(a.status), map[bool]string{true: "413", false: "422"}[ok]) // the core takes fewer properties
		m := r.bso("create", fmt.Sprintf(`{"binaryStreamObject":{"id":"o%d","properties":%s}}`, n, object))
		r.equal("create", m["status"], map[bool]string{true: "success", false: "error"}[ok])
	}
}
