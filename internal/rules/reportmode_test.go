package rules

import (
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// `mode report` lets pass what rules refuse to a signed-in user, and nothing else.
func TestReportModeNeverLetsStrangersIn(t *testing.T) {
	s := ruled(t, Lines{Report: true}, NewBook(nil))
	ada := &identity.Principal{Username: "ada"}
	for _, code := range []identity.Code{identity.CodeRoleRequired, identity.CodePermissionRequired, identity.CodeNoRule,
		identity.CodeRuleDenied,
		identity.CodeNetworkDenied, identity.CodeMFARequired, identity.CodePasskeyRequired, identity.CodeReauthRequired} {
		d := policy.Decision{Code: code, Rule: "r"}
		if got := s.applyReportMode(d, ada); !got.Allow || got.Public || got.Report == nil || got.Report.Code != code {
			t.Errorf("%s: %+v", code, got)
		}
		if got := s.applyReportMode(d, nil); got.Allow || !got.NeedLogin || got.Code != identity.CodeLoginRequired ||
			got.Report.Code != code {
			t.Errorf("%s, anonymous: %+v", code, got)
		}
	}
	for _, code := range []identity.Code{identity.CodeStateUnavailable, identity.CodeAmbiguousPath,
		identity.CodeLoginRequired, identity.CodeHTTPSRequired, identity.CodeSessionRevoked} {
		if got := s.applyReportMode(policy.Decision{Code: code}, ada); got.Allow {
			t.Errorf("%s is let pass", code)
		}
	}
	if got := ruled(t, Lines{}, NewBook(nil)).applyReportMode(policy.Decision{Code: identity.CodeNoRule}, ada); got.Allow {
		t.Error("without report mode")
	}
}
