package policyfile

import (
	"errors"
	"net/netip"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// compileCondition compiles the `when` of rules.
var compileCondition Conditions = func(string, map[string][]netip.Prefix) (policy.Condition, error) {
	return nil, errors.New("this build knows no conditions")
}
