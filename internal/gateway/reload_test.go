package gateway

import (
	"fmt"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// AZ-08 R11 what a role grants after a reload is in the next assertion: one that was signed for the configuration
// before is not sent again, though its session goes on.
func TestAssertionFollowsThePoliciesOfAReload(t *testing.T) {
	before := start(t)
	cookie, _ := signIn(t, before)
	up, site := &upstream{}, withAssertion(t)
	granted := func(g *Gateway) string {
		t.Helper()
		serve(t, g, site, newRequest("Cookie", cookie), up)
		return fmt.Sprint(verifyAssertion(t, g, up.header.Get("X-Truxe-Jwt-Assertion"), time.Now())["permissions"])
	}
	if got := granted(before); got != "[*]" {
		t.Fatalf("control: %s", got)
	}
	cfg := before.cfg
	cfg.Rules = rules.NewBook(roleFiles{model(t, policy.Role{Name: identity.AdminRole,
		Permissions: []string{"orders:read"}})})
	after, err := New(t.Context(), before.engine, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(after.Close)
	if got := granted(after); got != "[* orders:read]" {
		t.Errorf("after the reload: %s", got)
	}
}
