// Package apidoc describes the REST APIs: an OpenAPI 3.1 document at /openapi.json, and a page for people at /docs.
//
// The document is written by hand, in the YAML files of openapi: openapi.yaml begins it, the others add paths and components. Tests of package restapi
// compare it with the routes, ask for every documented status, and hold every answer that any of them gets against it.
//
// The page is Swagger UI (Apache 2.0, ui/VERSION); its files are in ui, compressed, as scripts/docs-ui.sh fetched them. Everything comes from this
// server, and the page's policy lets a browser load nothing else.
//
// Both are for everybody: they say no more than the public documentation does.
//
// A Handler may be used by any number of goroutines.
package apidoc
