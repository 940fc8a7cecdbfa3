package integration

import "testing"

// TestDocsPage opens the page at /docs in a real browser.
func TestDocsPage(t *testing.T) {
	node, chromium := needTool(t, "node"), needTool(t, "chromium")
	needModules(t, "docs-page")
	s := startServer(t)
	out, err := tryWith(t.Context(), []string{"TOTE_URL=" + s.base}, "clients/docs-page", node, "check.mjs", chromium, tempDir(t))
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(out, 4000))
	}
}
