package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// ordersPolicy is the set of the first stories: roles with permissions, one rule of each effect.
const ordersPolicy = `roles:
  viewer: { permissions: ["orders:read"] }
  editor: { inherits: [viewer], permissions: ["orders:write"] }
  member: {}
networks:
  office: [10.0.0.0/8]
rules:
  - id: health
    effect: public
    hosts: [orders.test]
    paths: ["/healthz"]
  - id: orders-read
    effect: allow
    hosts: [orders.test]
    methods: [GET]
    paths: ["/orders/**", "/"]
    to: { permission: "orders:read" }
  - id: orders-write
    effect: allow
    hosts: [orders.test]
    methods: [POST, PUT, PATCH, DELETE]
    paths: ["/orders/**"]
    to: { permission: "orders:write" }
  - id: office-only
    effect: require
    hosts: [orders.test]
    paths: ["/orders/internal/**"]
    require: { networks: [office] }
  - id: closed
    effect: deny
    hosts: [orders.test]
    paths: ["/orders/closed/**"]
    reason: "The books of last year are closed."
`

// policyFolder writes policy files and gives their folder.
func policyFolder(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i+1 < len(files); i += 2 {
		writePolicy(t, dir, files[i], files[i+1])
	}
	return dir
}

func writePolicy(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// CONTRACT 10: roles, permissions and rules of a policy file decide at every site; a refusal says the rule's reason;
// what no rule allows is denied (AZ-01).
func TestPolicyFilesDecideWhoEnters(t *testing.T) {
	dir := policyFolder(t, "orders.yaml", ordersPolicy)
	s := tell(t, plot{options: "\t\tpolicies " + dir,
		sites: site("orders.test", "\ttruxe\n\treverse_proxy UPSTREAM") + site("plain.test",
			"\ttruxe {\n\t\tallow permission orders:read\n\t}\n\treverse_proxy UPSTREAM")})
	s.user("vic", "a quiet viewer of orders", "viewer")
	s.user("eva", "an eager editor of orders", "editor")
	vic, eva, pia := s.browser("orders.test"), s.browser("orders.test"), s.browser("orders.test")
	vic.signIn("vic", "a quiet viewer of orders").want(200)
	eva.signIn("eva", "an eager editor of orders").want(200)
	pia.signIn("pia", piaPassword)
	anyone := s.bare("orders.test")

	anyone.get("/healthz", program).want(200)
	anyone.get("/orders/7", program).problem(401, "login_required")
	anyone.get("/nothing", program).problem(403, "no_rule")
	vic.get("/orders/7", program).want(200)
	vic.do("DELETE", "/orders/7", "", program).problem(403, "permission_required")
	eva.do("DELETE", "/orders/7", "", program).want(200)
	pia.get("/orders/7", program).problem(403, "permission_required")
	vic.get("/other", program).problem(403, "no_rule")
	eva.get("/orders/internal/x", program).problem(403, "network_denied")
	if p := eva.get("/orders/closed/x", program).problem(403,
		"rule_denied"); p.Detail != "The books of last year are closed." {
		t.Errorf("detail %q", p.Detail)
	}
	if page := eva.get("/orders/closed/x", navigate).want(403).body; !strings.Contains(page,
		"The books of last year are closed.") {
		t.Error("the page does not say the rule's reason")
	}
	plain := s.browser("plain.test")
	plain.signIn("vic", "a quiet viewer of orders").want(200)
	plain.get("/x", program).want(200)
	other := s.browser("plain.test")
	other.signIn("pia", piaPassword)
	other.get("/x", program).problem(403, "permission_required")

	// Where policies define roles, no other name is one.
	if out, code := s.addUser("zoe", "no such role for zoe", "vewer"); code == 0 || !strings.Contains(out, `"viewer"`) {
		t.Errorf("exit %d: %s", code, out)
	}
}

// AZ-01, AZ-10, FAULTS 23: changed files hold within seconds; broken ones leave the rules before them in force and say
// why.
func TestChangedPolicyFilesHoldAndBrokenOnesDoNot(t *testing.T) {
	dir := policyFolder(t, "orders.yaml", ordersPolicy)
	s := tell(t, plot{options: "\t\tpolicies " + dir, sites: site("orders.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	s.user("vic", "a quiet viewer of orders", "viewer")
	vic := s.browser("orders.test")
	vic.signIn("vic", "a quiet viewer of orders").want(200)
	vic.get("/orders/7", program).want(200)
	becomes := func(what string, status int) {
		t.Helper()
		rig.WaitFor(t, 10*time.Second, what, func() bool { return vic.get("/orders/7", program).status == status })
	}
	writePolicy(t, dir, "freeze.yaml",
		"rules:\n  - id: freeze\n    effect: deny\n    hosts: [orders.test, gone.test]\n    paths: [\"/orders/**\"]\n")
	becomes("the new rule holds", 403)
	s.g.WaitLog(`gone\.test, which no site has`)
	if got := vic.get("/orders/7", program).problem(403, "rule_denied"); got.Code == "" {
		t.Error("no code")
	}
	broken := strings.Replace(ordersPolicy, "effect: deny", "effect: denny", 1)
	writePolicy(t, dir, "orders.yaml", broken)
	s.g.WaitLog(`orders\.yaml:\d+:\d+: .*denny.*did you mean .*deny`)
	vic.get("/orders/7", program).problem(403, "rule_denied")
	if err := os.Remove(filepath.Join(dir, "freeze.yaml")); err != nil {
		t.Fatal(err)
	}
	s.g.WaitLog(`(?s)not in force.*not in force`)
	vic.get("/orders/7", program).problem(403, "rule_denied")
	writePolicy(t, dir, "orders.yaml", ordersPolicy)
	becomes("the fixed files hold", 200)

	// The same mistakes stop a start and a reload.
	writePolicy(t, dir, "orders.yaml", broken)
	if err := s.g.Reload(s.caddyfile(plot{options: "\t\tpolicies " + dir + "\n\t\trate_limit login 6 5m",
		sites: site("orders.test", "\ttruxe\n\treverse_proxy UPSTREAM")})); err == nil ||
		!strings.Contains(err.Error(), "denny") {
		t.Errorf("a reload with broken policies: %v", err)
	}
	vic.get("/orders/7", program).want(200)
}

// `mode report` lets pass what rules refuse to a signed-in user, and says so in the audit log; no request passes
// without a sign-in by it.
func TestReportModeLetsPassAndReports(t *testing.T) {
	dir := policyFolder(t, "orders.yaml", ordersPolicy)
	s := tell(t, plot{options: "\t\tpolicies " + dir, sites: site("orders.test",
		"\ttruxe {\n\t\tmode report\n\t}\n\treverse_proxy UPSTREAM")})
	s.bare("orders.test").get("/orders/7", program).problem(401, "login_required")
	s.bare("orders.test").get("/nothing", program).problem(401, "login_required")
	pia := s.browser("orders.test")
	pia.signIn("pia", piaPassword)
	for range 3 {
		pia.get("/orders/closed/x", program).want(200)
	}
	rig.WaitFor(t, 5*time.Second, "the report", func() bool {
		return strings.Count(s.cli("audit", "list", "--event", "authz_fail", "--user", "pia", "-o", "jsonl"),
			`"outcome":"report"`) == 1
	})
}
