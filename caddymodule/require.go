package caddymodule

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// The kinds of `require`.
const (
	requireMFA     = "mfa"
	requirePasskey = "passkey"
	requireNetwork = "network"
)

// readRequire reads `require mfa|passkey [max_age <duration>]` and `require network <cidr...>`. Several lines add up.
func (s *Site) readRequire(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	r := Require{Kind: args[0]}
	switch args = args[1:]; r.Kind {
	case requireMFA, requirePasskey:
		if len(args) > 0 {
			if len(args) != 2 || args[0] != "max_age" {
				return d.Errf("require %s is `require %s [max_age <duration>]`", r.Kind, r.Kind)
			}
			age, err := parseDuration(d, "max_age", args[1])
			if err != nil {
				return err
			}
			r.MaxAge = age
		}
	case requireNetwork:
		if len(args) == 0 {
			return d.Err("require network needs the networks, for example: require network 10.0.0.0/8 192.168.0.0/16")
		}
		r.Networks = args
	default:
		return d.Errf("require what? %q is unknown%s; write `require mfa`, `require passkey` or `require network <cidr...>`",
			r.Kind, nearest.Hint(r.Kind, []string{requireMFA, requirePasskey, requireNetwork}))
	}
	if _, err := r.compile(); err != nil {
		return d.Err(err.Error())
	}
	s.Require = append(s.Require, r)
	return nil
}

// compile checks a condition, which may come from JSON as well.
func (r Require) compile() (rules.Require, error) {
	age := timeDuration(r.MaxAge)
	switch {
	case age != 0 && age < time.Second: // clients are told whole seconds (RFC 9470)
		return rules.Require{}, fmt.Errorf("require %s: max_age is a second or more", r.Kind)
	case r.Kind == requireMFA && len(r.Networks) == 0:
		return rules.Require{Assurance: identity.Assurance{MFA: true, MaxAge: age}}, nil
	case r.Kind == requirePasskey && len(r.Networks) == 0:
		return rules.Require{Assurance: identity.Assurance{Passkey: true, MaxAge: age}}, nil
	case r.Kind != requireNetwork || age != 0 || len(r.Networks) == 0:
		return rules.Require{},
			fmt.Errorf("require %q: it is mfa or passkey, with max_age or without, or network with networks", r.Kind)
	}
	var out rules.Require
	for _, text := range r.Networks {
		n, err := parseNetwork(text)
		if err != nil {
			return out, err
		}
		out.Networks = append(out.Networks, n)
	}
	return out, nil
}

// parseNetwork reads CIDR notation, or an address that stands for itself.
func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("require network: %q is no network such as 10.0.0.0/8 or 2001:db8::/32", text)
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	n, err := netip.ParsePrefix(text)
	if err != nil {
		return n, fmt.Errorf("require network: %q is no network such as 10.0.0.0/8 or 2001:db8::/32", text)
	}
	if n.Masked() != n {
		return n, fmt.Errorf("require network: %s has bits beyond its mask; did you mean %s?", text, n.Masked())
	}
	return n, nil
}
