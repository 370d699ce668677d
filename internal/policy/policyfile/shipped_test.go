package policyfile

import (
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/policies"
)

// The files that come with the gateway are what operators copy: they pass their own tests and lint finds nothing.
func TestTheShippedPoliciesPassTheirTestsAndLint(t *testing.T) {
	sources, err := ReadFS(policies.Files, "policies")
	if err != nil {
		t.Fatal(err)
	}
	doc, report, err := Test(sources)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := report.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	if report.Failed > 0 || len(report.Untested) > 0 || report.Cases < 20 {
		t.Errorf("%s", out.String())
	}
	for _, f := range Lint(doc, Context{Hosts: []string{"shop.example.com"}, Report: report}) {
		t.Errorf("%s", f)
	}
	for _, p := range GatewayPermissions() {
		if _, ok := doc.Roles.Allows([]string{"admin"}, p); !ok {
			t.Errorf("admin lacks %s", p)
		}
		if _, ok := doc.Roles.Allows([]string{"shop-manager"}, p); ok {
			t.Errorf("a shop manager holds %s", p)
		}
	}
	for role, lacks := range map[string]string{"auditor": ":write", "helpdesk": "truxe:users:write truxe:roles:write",
		"user-manager": "truxe:roles:write truxe:audit:read truxe:keys:write", "operator": "truxe:users:read",
		"introspector": "truxe:tokens:write"} {
		for _, p := range GatewayPermissions() {
			if _, ok := doc.Roles.Allows([]string{role}, p); ok &&
				(lacks == ":write" && strings.HasSuffix(p, lacks) || strings.Contains(lacks, p)) {
				t.Errorf("%s holds %s", role, p)
			}
		}
	}
}
