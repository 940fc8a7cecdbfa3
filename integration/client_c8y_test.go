package integration

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// peopleRig is a server with a user of a tenant of his own, for clients of the inventory and event APIs.
type peopleRig struct {
	*server
	tenant, user, password string
}

func startForPeople(t testing.TB, opts ...option) *peopleRig {
	t.Helper()
	r := &peopleRig{server: startServer(t, opts...), tenant: "t1", user: "mira", password: "the password of mira"}
	if out, code := r.tote("tenant", "add", r.tenant, "--data", r.data); code != 0 {
		t.Fatalf("tenant add: %d %s", code, out)
	}
	r.addUser(r.tenant, r.user, "ROLE_INVENTORY_READ", "ROLE_INVENTORY_ADMIN", "ROLE_EVENT_READ", "ROLE_EVENT_ADMIN")
	return r
}

// addUser makes a user whose password is the rig's.
func (r *peopleRig) addUser(tenant, name string, roles ...string) {
	r.t.Helper()
	args := []string{"user", "add", name, "--tenant", tenant, "--data", r.data}
	for _, role := range roles {
		args = append(args, "--role", role)
	}
	cmd := exec.CommandContext(r.t.Context(), shared.tote, args...)
	cmd.Stdin = strings.NewReader(r.password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("user add: %v\n%s", err, out)
	}
}

// runs a program below clients that checks by itself.
func (r *peopleRig) runs(dir, name string, args ...string) {
	r.t.Helper()
	env := []string{"TOTE_URL=" + r.base, "TOTE_TENANT=" + r.tenant, "TOTE_USER=" + r.user, "TOTE_PASSWORD=" + r.password, "TOTE_DIR=" + tempDir(r.t)}
	out, err := tryWith(r.t.Context(), env, filepath.Join("clients", dir), name, args...)
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", dir, err, tail(out, 4000))
	}
}

// TestClientGoC8y runs the Go client of the platform.
func TestClientGoC8y(t *testing.T) {
	program := buildClient(t, "go-c8y")
	startForPeople(t).runs("go-c8y", program)
}

// TestClientJavaScript runs the JavaScript client of the platform.
func TestClientJavaScript(t *testing.T) {
	node := needTool(t, "node")
	needModules(t, "c8y-client")
	startForPeople(t).runs("c8y-client", node, "check.mjs")
}

// TestClientPythonRequests replays what the Python client of the platform sends.
func TestClientPythonRequests(t *testing.T) {
	const python = "/usr/bin/python3" // the one that packages of the distribution belong to
	if _, err := tryCommand(t.Context(), "", python, "-c", "import requests"); err != nil {
		skip(t, "python3-requests is not installed")
	}
	startForPeople(t).runs("c8y-python", python, "-B", "check.py")
}

// TestClientCurlInventory replays requests of clients that are not to be had: Java, thin-edge, scripts.
func TestClientCurlInventory(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq"} {
		needTool(t, tool)
	}
	startForPeople(t).runs("c8y-curl", "bash", "./check.sh")
}
