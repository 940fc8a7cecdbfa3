package restapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tote/fs"
)

// Whatever way a question is answered, it is the answer that looking at every object gives.
func TestGet_IndexesAgree(t *testing.T) {
	r := newRig(t)
	for i, typ := range []string{"Shot", "shot", "SHOT", "other", "binarystreamobject", "Shot"} {
		id := fmt.Sprint("o", i)
		r.stored(fmt.Sprintf(`{"id":%q,"type":%q,"properties":{"objectKey":"d/%s","tag":%s,"role":"r%d","originalFileName":"n%d"}}`,
			id, typ, id, []string{`"5"`, `5`, `"x"`, `true`, `"true"`, `{"a":[1, 2]}`}[i], i%2, i%2), id)
	}
	r.ok("create", `{"binaryStreamObject":{"id":"doc","type":"sHot","properties":{"objectKey":"d/o1","tag":5,"role":"r1"}}}`)
	r.ok("create", `{"binaryStreamObject":{"id":"waits","type":"other","properties":{"objectKey":"w","tag":"x"}}}`)
	r.put("/plain.txt", "plain")
	c := &call{s: r.api.s, ctx: r.Context(), actor: &fs.Actor{Tenant: "rdp", User: "mira", Roles: []string{fs.RoleEditor}, Origin: "rest"}, now: r.now()}
	for _, query := range []string{
		`{"filters":{"typesCriterion":["shot"]}}`, `{"filters":{"typesCriterion":["SHOT","Other"]}}`, `{"filters":{"typesCriterion":["none"]}}`,
		`{"filters":{"typesCriterion":["BinaryStreamObject"]}}`, `{"filters":{"typesCriterion":["shot","ALL"]}}`, `{"name":"n1"}`, `{"name":"plain.txt"}`,
		`{"filters":{"propertiesCriterion":[{"tag":{"eq":5}}]}}`, `{"filters":{"propertiesCriterion":[{"tag":{"eq":"5"}}]}}`, `{"filters":{"propertiesCriterion":[{"tag":{"eq":true}}]}}`,
		`{"filters":{"propertiesCriterion":[{"tag":{"eq":"true"}}]}}`, `{"filters":{"propertiesCriterion":[{"tag":{"eq":{"a":[1,2]}}}]}}`, `{"filters":{"propertiesCriterion":[{"tag":{"eq":"x"}}]}}`,
		`{"filters":{"propertiesCriterion":[{"ROLE":{"eq":"r1"}}]}}`, `{"filters":{"propertiesCriterion":[{"tag":{"eq":5}},{"role":{"eq":"r1"}}]}}`, `{"filters":{"propertiesCriterion":[{"TAG":{"eq":5}}]}}`,
		`{"filters":{"propertiesCriterion":[{"objectKey":{"eq":"d/o1"}}]}}`, `{"filters":{"propertiesCriterion":[{"objectkey":{"eq":"none"}}]}}`, `{"filters":{"propertiesCriterion":[{"contentSize":{"eq":2}}]}}`,
		`{"filters":{"propertiesCriterion":[{"originalFileName":{"eq":"n0"}}]}}`, `{"filters":{"propertiesCriterion":[{"originalFileName":{"eq":"plain.txt"}}]}}`,
		`{"filters":{"propertiesCriterion":[{"tag":{"eq":null}}]}}`, `{"filters":{"propertiesCriterion":[{"tag":{"like":"x"}}]}}`, `{"filters":{"propertiesCriterion":[{"createdBy":{"eq":"mira"}}],"typesCriterion":["shot"]}}`,
	} {
		var q bsoQuery
		if err := json.Unmarshal([]byte(query), &q); err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for o, err := range c.find().objects(nil) {
			if err != nil {
				t.Fatal(err)
			}
			if q.match(o) {
				want = append(want, o.id)
			}
		}
		found, err := c.candidates(&q)
		if err != nil {
			t.Fatal(err)
		}
		for o, err := range found {
			if err != nil {
				t.Fatal(err)
			}
			if q.match(o) {
				got = append(got, o.id)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", query, got, want)
		}
	}
}

// Any values have an order: none, numbers, texts. Who asks for too much is told so.
func TestGet_Order(t *testing.T) {
	r := newRig(t)
	for i, v := range []string{`10`, `9`, `"1x"`, `"9a"`, `2`, `null`, `true`, `-1.5`, `"10"`, `{"a":1}`} {
		r.ok("create", fmt.Sprintf(`{"binaryStreamObject":{"id":"o%d","properties":{"v":%s}}}`, i, v))
	}
	r.stored(`{"id":"file","properties":{"objectKey":"f","v":9.5}}`, "x")
	ids := func(order string) (ids []string) {
		for _, o := range objects(r.ok("get", `{"params":{"query":{"filters":{"typesCriterion":["ALL"]}},"sort":{"properties":[{"v":"`+order+`","sortType":"_STRING"}]}}}`)) {
			ids = append(ids, o["id"].(string))
		}
		return ids
	}
	r.equal("up", ids("_ASC"), []string{"o5", "o7", "o4", "o1", "file", "o0", "o8", "o2", "o3", "o6", "o9"})
	r.equal("down", ids("_DESC"), []string{"o9", "o6", "o3", "o2", "o8", "o0", "file", "o1", "o4", "o7", "o5"})
	many := strings.TrimSuffix(strings.Repeat(`"x",`, maxIDs+1), ",")
	r.equal("ids", code(r.bso("get", `{"params":{"query":{"ids":[`+many+`]}}}`)), "AE001")
}

// Thousands of other files do not slow down what an index finds. The measure is how many files are looked at.
func TestGet_TypeAmongMany(t *testing.T) {
	r := newRig(t)
	root, err := r.fs.Stat(r.Context(), sys(), "/")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * scanPage {
		if _, err := r.fs.Mknod(r.Context(), sys(), root.Ino(), fmt.Sprint("f", i), 0o100644, 0); err != nil {
			t.Fatal(err)
		}
	}
	r.stored(`{"id":"one","type":"rare","properties":{"objectKey":"k"}}`, "x")
	c := &call{s: r.api.s, ctx: r.Context(), actor: sys(), now: r.now()}
	var q bsoQuery
	if err := json.NewDecoder(strings.NewReader(`{"filters":{"typesCriterion":["RARE"]}}`)).Decode(&q); err != nil {
		t.Fatal(err)
	}
	found, err := c.candidates(&q)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range found {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	r.equal("candidates", n, 1)
}
