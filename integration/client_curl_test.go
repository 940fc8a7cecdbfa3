package integration

import "testing"

// TestClientCurl replays the requests of scripts: pipelines (with the Groovy that cuts the URL out of text, where groovy is installed), the older
// signed form, the storage trigger, connectors.
func TestClientCurl(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq", "openssl"} {
		needTool(t, tool)
	}
	r := startForClients(t)
	out, err := tryWith(t.Context(), append(r.environ(), "TOTE_KEY="+r.key), "clients/curl", "bash", "./check.sh", tempDir(t))
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(out, 4000))
	}
	wantGet(t, r.mount(), "/assets/pack.zip", "a seed package")
}
