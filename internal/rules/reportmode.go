package rules

import (
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// applyReportMode lets pass what rules refuse to a signed-in user, at a site with `mode report`. The decision says what
// it would have been. Signing in is still required, so that a forgotten line never opens an app to anonymous requests.
func (s *Site) applyReportMode(d policy.Decision, p *identity.Principal) policy.Decision {
	if !s.report || d.Allow || !ByRule(d.Code) {
		return d
	}
	would := d
	if p == nil {
		return policy.Decision{NeedLogin: true, Code: identity.CodeLoginRequired, Report: &would}
	}
	return policy.Decision{Allow: true, Rule: "mode report", Report: &would}
}

// ByRule reports whether a code is that of a refusal by a rule.
func ByRule(code identity.Code) bool {
	switch code {
	case identity.CodeRoleRequired, identity.CodePermissionRequired, identity.CodeMFARequired, identity.CodeReauthRequired,
		identity.CodePasskeyRequired, identity.CodeNetworkDenied, identity.CodeRuleDenied, identity.CodeNoRule:
		return true
	}
	return false
}
