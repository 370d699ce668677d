package policyfile

import (
	"net/netip"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

type stub string

func (s stub) Holds(*policy.Request, string, *identity.Principal) policy.Truth { return policy.True }
func (s stub) String() string                                                  { return string(s) }

func init() {
	compileCondition = func(text string, _ map[string][]netip.Prefix) (policy.Condition, error) { return stub(text), nil }
}
