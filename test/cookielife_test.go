package test

import (
	"net/http"
	"strings"
	"testing"
)

// ED-31 a session's new cookie lasts as long as its first one: until the browser ends, or as long as the session when
// it was kept with "Keep me signed in". How much time is left says nothing about it.
func TestNewSecretKeepsTheLifetimeOfTheCookie(t *testing.T) {
	for _, c := range []struct {
		name, lives string
		remember    bool
	}{
		{"a long session that was not kept", "max 30d ; idle 30d ; remember 30d", false},
		{"a short one that was kept", "max 1h ; idle 1h ; remember 24h", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(t, plot{options: "\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m\n\t\tsession {\n" +
				strings.ReplaceAll(c.lives, " ; ", "\n") + "\n}",
				sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
			v := s.browser("app.test")
			var more []string
			if c.remember {
				more = []string{"remember", "on"}
			}
			first := v.tryForm("/.truxe/login", "pia", piaPassword, more...).want(http.StatusSeeOther).setsCookie("__Host-truxe")
			confirmed := v.form("confirm", "password", piaPassword).want(http.StatusSeeOther).setsCookie("__Host-truxe")
			changed := v.form("account/password", "current_password", piaPassword, "new_password", "a harbour without any lamps",
				"password", piaPassword).setsCookie("__Host-truxe")
			s.cli("roles", "grant", "pia", "auditor")
			renewed := v.get("/", navigate).setsCookie("__Host-truxe")
			for what, line := range map[string]string{"sign-in": first, "confirmation": confirmed, "change of roles": renewed} {
				if line == "" || strings.Contains(line, "Max-Age") != c.remember {
					t.Errorf("%s: cookie %q, kept: %v", what, line, c.remember)
				}
			}
			if changed != "" && strings.Contains(changed, "Max-Age") != c.remember {
				t.Errorf("change of password: cookie %q, kept: %v", changed, c.remember)
			}
		})
	}
}
