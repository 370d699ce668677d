package test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

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

// CONTRACT 9: policy test, lint, show and explain (AZ-11), with their exit codes.
func TestPolicyCommands(t *testing.T) { runScript(t, "policy") }

// CONTRACT 9: explain of a reference (AZ-11), and policy diff, from what happened on a running gateway.
func TestPolicyCommandsAboutWhatHappened(t *testing.T) {
	dir := policyFolder(t, "orders.yaml", ordersPolicy)
	p := plot{options: "\t\tpolicies " + dir, sites: site("orders.test",
		"\ttruxe {\n\t\trequire mfa max_age 10m\n\t\tpublic /assets/*\n\t}\n\treverse_proxy UPSTREAM")}
	p.sites += site("easy.test", "\ttruxe {\n\t\tpolicy orders\n\t\tallow role viewer\n\t}\n\treverse_proxy UPSTREAM")
	s := tell(t, p)
	s.user("vic", "a quiet viewer of orders", "viewer")

	// What happened, by the reference of its answer: denials from the audit log, sign-in and step-up from the node's
	// memory.
	vic := s.browser("easy.test")
	vic.signIn("vic", "a quiet viewer of orders").want(200)
	vic.get("/orders", program).want(200)
	orders := s.browser("orders.test")
	orders.signIn("vic", "a quiet viewer of orders").want(200)
	refused := orders.get("/orders/closed/1", program).problem(403, "rule_denied").Reference
	rig.WaitFor(t, 5*time.Second, "the denial in the audit log",
		func() bool { _, code := s.run("explain", refused); return code == 4 })
	s.says(4, `(?s)as vic \(roles viewer; amr pwd\).*DECISION deny, rule_denied   `+refused+
		`.*deny +closed +yes +everyone +.*The books of last year are closed\.`, "explain", refused)
	stepUp := orders.get("/orders/7", program).problem(401, "step_up_required").Reference
	s.says(4, `(?s)as vic.*DECISION step_up, mfa_required.*UNMET`, "explain", stepUp)
	anonymous := s.bare("orders.test").get("/orders/7", program).problem(401, "login_required").Reference
	s.says(4, `(?s)as an anonymous visitor.*DECISION login, login_required`, "explain", strings.ToLower(anonymous))
	bad := s.bare("orders.test").get("/a/..%2fb", program).problem(400, "ambiguous_path").Reference
	s.says(4, `DECISION deny, ambiguous_path`, "explain", bad)
	s.says(1, `nothing is known of the reference`, "explain", "R-2222-2222")

	// Gains and losses by other policies, from recorded requests.
	next := policyFolder(t, "orders.yaml", strings.Replace(ordersPolicy,
		"    methods: [GET]\n    paths: [\"/orders/**\", \"/\"]", "    methods: [GET]\n    paths: [\"/orders/archive/**\"]",
		1)+
		"  - id: books-open\n    effect: allow\n    hosts: [easy.test]\n    paths: [\"/books/**\"]\n    to: anyone_signed_in\n")
	eva := s.browser("easy.test")
	s.user("eva", "an eager editor of orders", "member")
	eva.signIn("eva", "an eager editor of orders").want(200)
	eva.get("/books/1", program).problem(403, "role_required")
	rig.WaitFor(t, 10*time.Second, "the records", func() bool {
		out, _ := s.run("policy", "diff", dir, next)
		return strings.Contains(out, "gains\teva\tGET\teasy.test\t/books/1\tdeny\tallow")
	})
	s.says(0, `gains\teva\tGET\teasy\.test\t/books/1\tdeny\tallow\t\tbooks-open`, "policy", "diff", dir, next, "--audit",
		"24h")
	var diff struct {
		Items    []map[string]any
		Replayed int
	}
	raw := s.cli("policy", "diff", dir, dir, "-o", "json")
	if err := json.Unmarshal([]byte(raw), &diff); err != nil || len(diff.Items) != 0 || diff.Replayed < 3 {
		t.Errorf("%v %s", err, raw)
	}

	// While Caddy is stopped the command reads the audit log itself.
	s.g.Stop()
	s.says(4, `rule_denied`, "explain", refused)
}
