package test

import (
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// AZ-01, AZ-11: the administrators' page of policies says what is in force, why newer files are not, and how a request
// would be decided; no other user sees it.
func TestPageOfPolicies(t *testing.T) {
	dir := policyFolder(t, "orders.yaml", ordersPolicy)
	s := tell(t, plot{options: "\t\tpolicies " + dir, sites: site("orders.test",
		"\ttruxe {\n\t\trequire mfa\n\t}\n\treverse_proxy UPSTREAM")})
	s.user("vic", "a quiet viewer of orders", "viewer")
	vic, root := s.browser("orders.test"), s.browser("orders.test")
	s.bare("orders.test").get("/.truxe/admin/policies", navigate).want(302, 303)
	vic.signIn("vic", "a quiet viewer of orders")
	vic.get("/.truxe/admin/policies", navigate).want(403)
	vic.form("admin/policies", "url", "https://orders.test/").want(403)
	root.signIn("root", adminPassword)
	shown := func() string { return root.get("/.truxe/admin/policies", navigate).want(200).body }
	says := func(page string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("the page does not say %q", w)
			}
		}
	}
	says(shown(), "allow orders-read", "permission orders:read", "The books of last year are closed.",
		"caddyfile:require#1", "orders.yaml:")
	ask := func(user, address string) string {
		return root.form("admin/policies", "user", user, "method", "GET", "url", address).want(200).body
	}
	says(ask("vic", "https://orders.test/orders/7"), "step_up, mfa_required", "After a second factor: allow.",
		"orders:read through role viewer")
	says(ask("", "https://orders.test/orders/7"), "login, login_required")
	says(ask("nobody", "https://orders.test/"), "not found")
	says(ask("vic", "not an address"), "not a whole one")
	says(ask("<script>", "https://orders.test/"), "&lt;script&gt;")
	writePolicy(t, dir, "orders.yaml", strings.Replace(ordersPolicy, "effect: deny", "effect: denny", 1))
	rig.WaitFor(t, 10*time.Second, "the page tells of the mistake", func() bool {
		return strings.Contains(root.get("/.truxe/admin/policies", navigate).body, "denny")
	})
	says(shown(), "not in force", "did you mean", "allow orders-read")
}
