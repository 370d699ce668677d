package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Hosts lists the hosts at which the gateway stands.
func (c Config) Hosts() []string {
	var list []string
	for _, s := range c.Sites {
		list = append(list, s.ForwardHosts...)
		if s.Host != "" {
			list = append(list, s.Host)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// RolesNamed lists the roles that the configuration itself names.
func (c Config) RolesNamed() []string {
	list := slices.Clone(c.MFA.Roles)
	for _, s := range c.Sites {
		list = append(list, s.Roles...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// adminPolicyShow lists the rules in force.
func adminPolicyShow(_ context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		Site string `json:"site"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	return policyBook{g}.Show(in.Site)
}

// Show lists the rules in force, or those that hold at a host.
func (b policyBook) Show(host string) (policy.Listing, error) {
	rules, err := b.g.cfg.Rules.SourceRules(host)
	if err != nil {
		return policy.Listing{}, &identity.Error{Code: identity.CodeNotFound, Detail: err.Error()}
	}
	out := policy.Listing{Items: []policy.Row{}, State: b.g.policies.State()}
	for _, r := range rules {
		out.Items = append(out.Items, policy.RowOf(r))
	}
	return out, nil
}

// windowOf reads how far back to look.
func windowOf(text string, now time.Time) (time.Time, error) {
	day := strings.HasSuffix(text, "d")
	number := text
	if day {
		number = strings.TrimSuffix(text, "d") + "h"
	}
	d, err := time.ParseDuration(number)
	if day {
		d *= 24
	}
	if err != nil || d <= 0 || d > 400*24*time.Hour {
		return time.Time{}, &identity.Error{Code: identity.CodeInvalidRequest, Detail: fmt.Sprintf("%q is not a time back, such as 24h or 7d", text)}
	}
	return now.Add(-d), nil
}
