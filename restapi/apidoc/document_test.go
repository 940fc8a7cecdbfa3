package apidoc

import (
	"testing"
	"testing/fstest"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestDocument validates the description as OpenAPI 3.1, with its examples.
func TestDocument(t *testing.T) {
	data, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("it is for OpenAPI %s", doc.OpenAPI)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Error(err)
	}
}

// TestBuild puts small files together.
func TestBuild(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for name, c := range map[string]struct {
		main, part, want string
	}{
		"merged":    {"a: 1\npaths: {x: &x {y: 2026-01-02}, z: *x}\n", "paths: {b: [true, null, '5', 1.5]}", `{"a":1,"paths":{"x":{"y":"2026-01-02"},"z":{"y":"2026-01-02"},"b":[true,null,"5",1.5]}}`},
		"twice":     {"paths: {x: {y: {z: 1}}}", "paths: {x: {y: {z: 2}}}", ""},
		"no map":    {"[]", "a: 1", ""},
		"bad yaml":  {"a: [", "a: 1", ""},
		"no number": {"a: .inf", "b: 1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := build(fstest.MapFS{mainSource: file(c.main), "openapi/part.yaml": file(c.part)})
			if c.want == "" {
				if err == nil {
					t.Fatalf("got %s, want an error", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s := compact(t, got); s != c.want {
				t.Errorf("got  %s\nwant %s", s, c.want)
			}
		})
	}
}
