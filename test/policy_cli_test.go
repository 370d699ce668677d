package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

const ordersTests = `users:
  eva: { roles: [editor] }
  vic: { roles: [viewer] }
tests:
  - url: https://orders.test/orders/7
    expect:
      GET: { anonymous: login, vic: allow, eva: allow }
      DELETE: { anonymous: login, vic: deny, eva: allow }
`

// run runs `caddy truxe args…` and gives all it said with its exit code.
func (s *story) run(args ...string) (string, int) {
	out, errs, code := s.g.CLI(args...)
	return out + errs, code
}

// says fails unless a command ends with a code and says what it should.
func (s *story) says(code int, want string, args ...string) string {
	s.t.Helper()
	out, got := s.run(args...)
	if got != code || !regexp.MustCompile(want).MatchString(out) {
		s.t.Errorf("caddy truxe %s: exit %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, want, out)
	}
	return out
}

// CONTRACT 9: policy test, lint, show, explain and diff, and explain of a reference (AZ-11), with their exit codes.
func TestPolicyCommands(t *testing.T) {
	dir := policyFolder(t, "orders.yaml", ordersPolicy, "orders_test.yaml", ordersTests)
	p := plot{options: "\t\tpolicies " + dir, sites: site("orders.test", "\ttruxe {\n\t\trequire mfa max_age 10m\n\t\tpublic /assets/*\n\t}\n\treverse_proxy UPSTREAM")}
	p.sites += site("easy.test", "\ttruxe {\n\t\tpolicy orders\n\t\tallow role viewer\n\t}\n\treverse_proxy UPSTREAM")
	s := tell(t, p)
	s.user("vic", "a quiet viewer of orders", "viewer")

	s.says(0, `ok +.*orders_test\.yaml +6 cases\n(.*\n)*6 cases, 0 failed`, "policy", "test")
	junit := filepath.Join(t.TempDir(), "report.xml")
	s.says(0, "", "policy", "test", dir, "--junit", junit)
	if raw, err := os.ReadFile(junit); err != nil || !strings.Contains(string(raw), `tests="6" failures="0"`) {
		t.Errorf("%v %s", err, raw)
	}
	s.says(1, `untested`, "policy", "lint")
	s.says(3, `no_such_folder`, "policy", "test", filepath.Join(dir, "no_such_folder"))

	s.says(0, `orders-read\tallow\torders\.test\tGET\t`, "policy", "show")
	out := s.says(0, `caddyfile:require#1\trequire\torders\.test`, "policy", "show", "--site", "orders.test")
	if !strings.Contains(out, "mfa,max_age 10m") || !strings.Contains(out, "orders.yaml:") {
		t.Errorf("show: %s", out)
	}
	s.says(1, `no site of this gateway`, "policy", "show", "--site", "other.test")

	s.says(4, `(?s)GET https://orders\.test/orders/7   as vic \(roles viewer; amr pwd\)\nDECISION step_up, mfa_required.*require +caddyfile:require#1 +UNMET +this session has only a password +Caddyfile.*allow +orders-read +yes +orders:read through role viewer +.*orders\.yaml:\d+.*After a second factor: allow\.`,
		"policy", "explain", "--user", "vic", "--url", "https://orders.test/orders/7")
	s.says(0, `DECISION allow`, "policy", "explain", "--user", "vic", "--mfa", "--url", "https://orders.test/orders/7")
	s.says(4, `permission_required`, "policy", "explain", "--user", "vic", "--mfa", "--method", "DELETE", "--url", "https://orders.test/orders/7")
	s.says(4, `DECISION login, login_required`, "policy", "explain", "--url", "https://easy.test/orders/7")
	s.says(4, `DECISION login`, "policy", "explain", "--url", "https://orders.test/healthz", "--ip", "10.1.2.3") // what is required is required of public paths, too
	s.says(2, `--url`, "policy", "explain", "--user", "vic")
	s.says(1, `not found`, "policy", "explain", "--user", "nobody", "--url", "https://orders.test/")

	// What happened, by the reference of its answer: denials from the audit log, sign-in and step-up from the node's memory.
	vic := s.browser("easy.test")
	vic.signIn("vic", "a quiet viewer of orders").want(200)
	vic.get("/orders", program).want(200)
	orders := s.browser("orders.test")
	orders.signIn("vic", "a quiet viewer of orders").want(200)
	refused := orders.get("/orders/closed/1", program).problem(403, "rule_denied").Reference
	rig.WaitFor(t, 5*time.Second, "the denial in the audit log", func() bool { _, code := s.run("explain", refused); return code == 4 })
	s.says(4, `(?s)as vic \(roles viewer; amr pwd\).*DECISION deny, rule_denied   `+refused+`.*deny +closed +yes +everybody +.*The books of last year are closed\.`, "explain", refused)
	stepUp := orders.get("/orders/7", program).problem(401, "step_up_required").Reference
	s.says(4, `(?s)as vic.*DECISION step_up, mfa_required.*UNMET`, "explain", stepUp)
	anonymous := s.bare("orders.test").get("/orders/7", program).problem(401, "login_required").Reference
	s.says(4, `(?s)as an anonymous visitor.*DECISION login, login_required`, "explain", strings.ToLower(anonymous))
	bad := s.bare("orders.test").get("/a/..%2fb", program).problem(400, "ambiguous_path").Reference
	s.says(4, `DECISION deny, ambiguous_path`, "explain", bad)
	s.says(1, `nothing is known of the reference`, "explain", "R-2222-2222")

	// Who gains and who loses by other policies, from what people did.
	next := policyFolder(t, "orders.yaml", strings.Replace(ordersPolicy, "    methods: [GET]\n    paths: [\"/orders/**\", \"/\"]", "    methods: [GET]\n    paths: [\"/orders/archive/**\"]", 1)+
		"  - id: books-open\n    effect: allow\n    hosts: [easy.test]\n    paths: [\"/books/**\"]\n    to: anyone_signed_in\n")
	eva := s.browser("easy.test")
	s.user("eva", "an eager editor of orders", "member")
	eva.signIn("eva", "an eager editor of orders").want(200)
	eva.get("/books/1", program).problem(403, "role_required")
	rig.WaitFor(t, 10*time.Second, "the records", func() bool {
		out, _ := s.run("policy", "diff", dir, next)
		return strings.Contains(out, "gains\teva\tGET\teasy.test\t/books/1\tdeny\tallow")
	})
	s.says(0, `gains\teva\tGET\teasy\.test\t/books/1\tdeny\tallow\t\tbooks-open`, "policy", "diff", dir, next, "--audit", "24h")
	var diff struct {
		Items    []map[string]any
		Replayed int
	}
	raw := s.cli("policy", "diff", dir, dir, "-o", "json")
	if err := json.Unmarshal([]byte(raw), &diff); err != nil || len(diff.Items) != 0 || diff.Replayed < 3 {
		t.Errorf("%v %s", err, raw)
	}

	// While Caddy is stopped the commands read configuration and database themselves.
	s.g.Stop()
	s.says(0, `orders-read\tallow`, "policy", "show", "--site", "orders.test")
	s.says(4, `DECISION step_up`, "policy", "explain", "--user", "vic", "--url", "https://orders.test/orders/7")
	s.says(4, `rule_denied`, "explain", refused)
}
