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

// ruleRow is a rule as `policy show` prints it.
type ruleRow struct {
	ID      string   `json:"id"`
	Effect  string   `json:"effect"`
	Hosts   []string `json:"hosts"`
	Methods []string `json:"methods"`
	Paths   []string `json:"paths"`
	From    []string `json:"networks"`
	To      []string `json:"to"`
	Require []string `json:"require"`
	When    string   `json:"when"`
	Reason  string   `json:"reason"`
	Mode    string   `json:"mode"`
	Place   string   `json:"place"`
}

func rowOf(r policy.Rule) ruleRow {
	row := ruleRow{ID: r.ID, Effect: r.Effect.String(), Hosts: r.Hosts, Methods: r.Methods, Paths: append(slices.Clone(r.Paths), r.Globs...),
		To: r.Whom(), Require: []string{}, Reason: r.Reason, Mode: "enforce", Place: r.At.String()}
	for _, n := range r.From {
		row.From = append(row.From, n.String())
	}
	if r.Effect == policy.EffectRequire {
		row.To, row.Require = []string{}, r.Requires()
	}
	if r.When != nil {
		row.When = r.When.String()
	}
	if r.Report {
		row.Mode = "report"
	}
	if row.Place == "" {
		row.Place = "Caddyfile"
	}
	return row
}

// adminPolicyShow lists the rules in force.
func adminPolicyShow(_ context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		Site string `json:"site"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	rules, err := g.cfg.Rules.Written(in.Site)
	if err != nil {
		return nil, &identity.Error{Code: identity.CodeNotFound, Detail: err.Error()}
	}
	out := struct {
		Items []ruleRow   `json:"items"`
		State PolicyState `json:"state"`
	}{Items: []ruleRow{}, State: g.policies.state()}
	for _, r := range rules {
		out.Items = append(out.Items, rowOf(r))
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
