package caddymodule

import "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

// MFA says who must have a second factor. Everybody may have one.
type MFA struct {
	// Whether a second factor must be set up at the next sign-in. Default: off
	Required bool `json:"required,omitempty"`
	// Only for people with one of these roles. Default: for everybody
	Roles []string `json:"roles,omitempty"`
}

// readMFA reads `mfa optional` and `mfa required [for role <role...>]`.
func (a *App) readMFA(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	m := &MFA{}
	switch {
	case len(args) == 1 && args[0] == "optional":
	case len(args) == 1 && args[0] == "required":
		m.Required = true
	case len(args) > 3 && args[0] == "required" && args[1] == "for" && args[2] == "role":
		m.Required, m.Roles = true, args[3:]
	default:
		return d.Err("mfa is `optional`, `required` or `required for role <role...>`")
	}
	if old := a.MFA; old != nil && old.Required != m.Required {
		return d.Err("mfa stands twice, once as optional and once as required")
	}
	if old := a.MFA; old != nil && m.Required { // lines add up; one without roles is for everybody
		if len(old.Roles) == 0 || len(m.Roles) == 0 {
			m.Roles = nil
		} else {
			m.Roles = append(append([]string{}, old.Roles...), m.Roles...)
		}
	}
	a.MFA = m
	return nil
}
