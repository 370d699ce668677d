package policy_test

import (
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// twins are conditions with the same written in Go. A nil person is whoever signs in.
var twins = map[string]twin{
	`request.method != "HEAD"`: func(r policy.Request, _ string, _ *identity.Principal, _ bool) policy.Truth {
		return truth(r.Method != "HEAD")
	},
	`in_network(request.ip, "office")`: func(r policy.Request, _ string, _ *identity.Principal, _ bool) policy.Truth {
		if !r.Addr.IsValid() {
			return policy.Failed
		}
		return truth(inside(r.Addr, networks["office"]))
	},
	`user.signed_in`:  func(_ policy.Request, _ string, _ *identity.Principal, in bool) policy.Truth { return truth(in) },
	`!user.signed_in`: func(_ policy.Request, _ string, _ *identity.Principal, in bool) policy.Truth { return truth(!in) },
	`"editor" in user.roles`: func(_ policy.Request, _ string, p *identity.Principal, _ bool) policy.Truth {
		if p == nil {
			return policy.Unknown
		}
		return truth(slices.Contains(p.Roles, "editor"))
	},
	`request.time.getHours() >= 12`: func(r policy.Request, _ string, _ *identity.Principal, _ bool) policy.Truth {
		if r.Now.IsZero() {
			return policy.Failed
		}
		return truth(r.Now.Hour() >= 12)
	},
	`user.name == "al" || request.path.startsWith("/a")`: func(_ policy.Request, path string, p *identity.Principal,
		_ bool) policy.Truth {
		if strings.HasPrefix(path, "/a") {
			return policy.True
		}
		if p == nil {
			return policy.Unknown
		}
		return truth(p.Username == "al" && !strings.Contains(p.UserID, "|"))
	},
	`user.client == "cli" && request.method == "GET"`: func(r policy.Request, _ string, p *identity.Principal,
		_ bool) policy.Truth {
		if r.Method != "GET" {
			return policy.False
		}
		if p == nil {
			return policy.Unknown
		}
		return truth(p.ClientID == "cli")
	},
	`request.path == "/a/b" ? user.roles.exists(r, r.startsWith("view")) : in_network(request.ip, "10.0.0.0/8")`: func(r policy.Request, path string, p *identity.Principal, _ bool) policy.Truth {
		switch {
		case path == "/a/b" && p == nil:
			return policy.Unknown
		case path == "/a/b":
			return truth(slices.ContainsFunc(p.Roles, func(s string) bool { return strings.HasPrefix(s, "view") }))
		case !r.Addr.IsValid():
			return policy.Failed
		}
		return truth(inside(r.Addr, networks["office"][:1]))
	},
}

func truth(b bool) policy.Truth {
	if b {
		return policy.True
	}
	return policy.False
}
