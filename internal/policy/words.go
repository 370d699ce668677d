package policy

// Whom names those whom a rule is about, such as "role editor"; empty: everyone.
func (r Rule) Whom() []string {
	out := []string{}
	for _, of := range []struct {
		kind  string
		names []string
	}{{"role ", r.Roles}, {"permission ", r.Permissions}, {"user ", r.Users}, {"client ", r.Clients}} {
		for _, name := range of.names {
			out = append(out, of.kind+name)
		}
	}
	return out
}

// Requires names what a require rule asks for, such as "mfa" or "network 10.0.0.0/8".
func (r Rule) Requires() []string {
	out := r.Whom()
	if r.Assurance.MFA {
		out = append(out, "mfa")
	}
	if r.Assurance.Passkey {
		out = append(out, "passkey")
	}
	if r.Assurance.MaxAge > 0 {
		out = append(out, "max_age "+r.Assurance.MaxAge.String())
	}
	for _, n := range r.Networks {
		out = append(out, "network "+n.String())
	}
	return out
}
