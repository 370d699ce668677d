package test

import (
	"strings"
	"testing"
)

// placeholderSites say in a header of the answer what the gate's placeholders are.
var placeholderSites = share(plot{sites: site("two.test", `	route {
		header >X-Told "{http.truxe.decision}, {http.truxe.rule}, {http.auth.user.name}"
		truxe {
			public /open/* /never/*
		}
		truxe /x/* {
			allow role staff
		}
		truxe /open/second/* {
			public /open/second/*
		}
		reverse_proxy UPSTREAM
	}`)})

// ED-31 where several directives judge one request, the placeholders tell of the last of them: a 403 is no "allow".
func TestPlaceholdersTellOfTheLastJudgement(t *testing.T) {
	s := placeholderSites.open(t)
	pia := s.browser("two.test")
	pia.signIn("pia", piaPassword)
	for _, c := range []struct {
		who    *visitor
		path   string
		status int
		want   string
	}{
		{pia, "/x/y", 403, "deny, caddyfile:allow, pia"},
		{pia, "/other", 200, "allow, , pia"},
		{pia, "/open/second/a", 200, "allow, caddyfile:public#1, pia"},
		{s.bare("two.test"), "/open/a", 200, "allow, caddyfile:public#1,"},
		{s.bare("two.test"), "/x/y", 401, "deny, ,"},
	} {
		a := c.who.get(c.path, program)
		if got := strings.TrimSpace(a.header.Get("X-Told")); a.status != c.status || got != c.want {
			t.Errorf("%s: %d, told %q, want %d and %q", c.path, a.status, got, c.status, c.want)
		}
	}
}
