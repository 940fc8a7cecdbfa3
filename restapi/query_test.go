package restapi

import (
	"testing"

	"tote/fs"
)

func TestQuery(t *testing.T) {
	m := newDocument(fs.Managed{ID: 7, Owner: "o", Type: "t", Name: `it's (\)`, Doc: []byte(`{"a":{"b":{"c":[1,"x",null,{"d":true}]}},"a.b":5,"n":3,"z":null,"s":"*","foo.date":"x","on":true}`), Created: 1e18, Updated: 2e18})
	for text, want := range map[string]bool{
		"": true, "$filter=": true, "name eq 'it''s \\(\\\\\\)'": true, "name eq 'it''s*'": true, "name eq '*\\)'": true, "n eq 3f": true, "n gt 2.5d": true, "n lt 3L": false, "n eq '3'": false, "n eq -3": false,
		"a.b.c eq 'x'": true, "a.b.c eq 1": true, "a.b.c eq 2": false, "a.b eq 5": true, "a.b.c.d eq true": false, "has(a.b.c)": true, "has(a.b.x)": false, "has(z)": true, "z eq null": true, "has(s.x)": false,
		"s eq '*'": true, "foo.date eq 'x'": true, "on eq true": true, "on gt false": true, "not(on eq true)": false, "on eq true and not has(x) or has(y)": true, "has(x) or has(y) and has(n)": false, "(has(x) or has(n)) and has(n)": true,
		"id eq '7'": true, "owner eq 'o' and type eq 't'": true, "creationTime lt '2001-09-09T01:46:41Z' and creationTime.date ge '2001-09-09T03:46:40+02:00'": true, "lastUpdated gt '2030'": true, "name gt null or has(n)": false,
		"hasany(x,y,n)": true, "HASANY('x','y')": false, "n EQ 3 And Not has(x)": true,
	} {
		q, err := parseQuery(text)
		if err != nil {
			if text != "name gt null or has(n)" {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if got := q.match(m); got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
}
