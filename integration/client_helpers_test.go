package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clientRig is a server with a client of the binary stream object service, for the programs below clients.
type clientRig struct {
	*server
	id, secret, key string
}

func startForClients(t testing.TB, opts ...option) *clientRig {
	t.Helper()
	r := &clientRig{server: startServer(t, opts...)}
	var made struct{ ID, Secret, AuthKey string }
	r.json(&made, "client", "add", "it", "--sign", "--json", "--data", r.data)
	r.id, r.secret, r.key = made.ID, made.Secret, made.AuthKey
	return r
}

// environ tells a program where the server is and how to log in.
func (r *clientRig) environ() []string {
	return []string{"TOTE_URL=" + r.base, "TOTE_CLIENT=" + r.id, "TOTE_SECRET=" + r.secret}
}

// runs a program that checks by itself; dir is below clients.
func (r *clientRig) runs(dir, name string, args ...string) string {
	r.t.Helper()
	out, err := tryWith(r.t.Context(), r.environ(), filepath.Join("clients", dir), name, args...)
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", dir, err, tail(out, 4000))
	}
	return out
}

// object is one binary stream object of an answer.
type object struct {
	ID         string
	Properties map[string]any
	Data       map[string]any
}

// service calls an operation, given with its path, and wants success.
func (r *clientRig) service(path, body string, headers ...string) []object {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.base+path, strings.NewReader(body))
	check(r.t, err)
	req.Header.Set("auth-client-id", r.id)
	req.Header.Set("auth-client-secret", r.secret)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := r.client.Do(req)
	check(r.t, err)
	defer res.Body.Close()
	var answer struct {
		Response struct {
			Status              string
			StatusDetail        any
			BinaryStreamObjects []object
		}
	}
	check(r.t, json.NewDecoder(res.Body).Decode(&answer))
	if !strings.EqualFold(answer.Response.Status, "success") {
		r.t.Fatalf("%s: %s %v", path, res.Status, answer.Response)
	}
	return answer.Response.BinaryStreamObjects
}

// needModules finds the npm modules of a program below clients, or skips.
func needModules(t testing.TB, dir string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join("clients", dir, "node_modules")); err != nil {
		skip(t, "the modules of clients/%s are not installed: run scripts/clients.sh", dir)
	}
}

// buildClient compiles a Go program below clients, which is a module of its own.
func buildClient(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(tempDir(t), dir)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", to, ".")
	cmd.Dir = filepath.Join("clients", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		skip(t, "clients/%s can't be built: %v\n%s", dir, err, out)
	}
	return to
}
