package token

import (
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// granting is what roles grant, as a policy says it; the role "much" grants more than a token may carry.
func granting(roles []string) ([]string, bool) {
	list := []string{}
	for _, r := range roles {
		if r == "much" {
			return nil, false
		}
		list = append(list, r+":read")
	}
	return list, true
}

// JW-11 JW-15: tokens and assertions carry the effective permissions, whole, or say that they do not: a part of the
// list would read as a refusal of the rest.
func TestPermissionsAreInTokenAndAssertionWholeOrNotAtAll(t *testing.T) {
	r := newRig(t)
	i := NewIssuer(r.ring, IssuerConfig{Issuer: func(string) string { return ourIssuer }, Audience: []string{"truxe"},
		Access: time.Minute, Permissions: granting, Now: r.clock.now})
	a := r.asserter()
	a.Permissions = granting
	for _, c := range []struct {
		roles         []string
		list, omitted string
	}{{nil, `[]`, "null"}, {[]string{"a", "b"}, `["a:read","b:read"]`, "null"}, {[]string{"a", "much"}, "null", "true"}} {
		issued := must(i.Issue(Claims{User: identity.User{ID: r.user.ID, Roles: c.roles}, SessionID: r.session.String()}))(t)
		p := r.principal()
		p.Roles = c.roles
		assertion, _, err := a.Sign(p, "app.example.com")
		if err != nil {
			t.Fatal(err)
		}
		for what, raw := range map[string]string{"token": issued.Token, "assertion": assertion} {
			_, claims := parts(t, raw)
			if mustJSON(claims["permissions"]) != c.list || mustJSON(claims[omitted]) != c.omitted {
				t.Errorf("%s of %v: %v %v", what, c.roles, claims["permissions"], claims[omitted])
			}
		}
		r.accepted("a token with permissions", issued.Token)
	}
}
