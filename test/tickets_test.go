package test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// strangeSites is single sign-on beside a site without a host name, whose Host is whatever a client writes.
var strangeSites = share(plot{
	options: "\t\tportal auth.test\n\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m",
	sites: site("auth.test", "\ttruxe portal") + site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM") +
		site("*.wild.test", "\ttruxe\n\treverse_proxy UPSTREAM") +
		site("https://", "\ttls internal {\n\t\ton_demand\n\t}\n\ttruxe\n\treverse_proxy UPSTREAM"),
})

// begun is a sign-in that a visitor has begun at an app: the login page, its way back and the flow cookie.
type begun struct{ login, id, flow string }

// begin opens path with a Host of the visitor's choice, as an attacker with a client of their own can.
func (v *visitor) begin(host, path string) begun {
	v.s.t.Helper()
	a := v.get(path, navigate, []string{"Host", host}).want(http.StatusFound)
	login := a.header.Get("Location")
	u, err := url.Parse(login)
	if err != nil {
		v.s.t.Fatal(err)
	}
	flow, _, _ := strings.Cut(strings.TrimPrefix(a.setsCookie("__Host-truxe-flow"), "__Host-truxe-flow="), ";")
	return begun{login, u.Query().Get("r"), flow}
}

// ticketOf opens a login page as a user who is signed in there and returns the address that they are sent to.
func (v *visitor) ticketOf(login string) string {
	v.s.t.Helper()
	if strings.HasPrefix(login, "/") {
		login = "https://" + v.host + login
	}
	a := v.get(login, navigate)
	if to := a.header.Get("Location"); to != "" {
		return to
	}
	_, to, _ := strings.Cut(a.header.Get("Refresh"), "url=")
	return to
}

// victim is a user who is signed in at the single sign-on host and at no app.
func (s *story) victim() *visitor {
	s.t.Helper()
	v := s.browser("auth.test")
	v.signIn("pia", piaPassword)
	return v
}

// ED-03 a way back that was begun with an unconfigured Host (Host: evil.example at a site without a host name) brings
// no ticket: the victim stays at the portal, and the attacker has nothing to redeem.
func TestTicketNeverLeavesForAnUnconfiguredHost(t *testing.T) {
	s := strangeSites.open(t)
	victim, attacker := s.victim(), s.bare("app.test")
	for _, host := range []string{"evil.example", "evil.example:443", "app.test.evil.example", "localhost", "127.0.0.1"} {
		b := attacker.begin(host, "/")
		for _, login := range []string{b.login, "https://auth.test/.truxe/login?r=" + b.id,
			"https://auth.test/.truxe/continue?r=" + b.id} {
			if to := victim.ticketOf(login); strings.Contains(to, "ticket=") {
				t.Errorf("Host %s: the victim's ticket leaves for %s", host, to)
			}
		}
	}
	// Accept controls: a host that is named, exactly and by a wildcard, gets its ticket.
	for _, host := range []string{"app.test", "a.wild.test"} {
		b := s.browser(host).begin(host, "/deep") // without a port: the scheme's own, which a site without one has
		if to := victim.ticketOf(b.login); !strings.HasPrefix(to, "https://"+host+"/.truxe/callback?ticket=") {
			t.Errorf("control: the way to %s leads to %s", host, to)
		}
	}
}

// ED-03 a way back that was begun with an unconfigured port (Host: app.test:9999) leads to the port that the
// configuration has: a ticket never reaches another server of that machine.
func TestTicketNeverLeavesForAnUnconfiguredPort(t *testing.T) {
	s := strangeSites.open(t)
	victim, attacker := s.victim(), s.bare("app.test")
	for _, host := range []string{"app.test:9999", "app.test:80", "a.wild.test:9999", "APP.test.:9999"} {
		b := attacker.begin(host, "/")
		to := victim.ticketOf(b.login)
		name := strings.ToLower(strings.TrimRight(strings.SplitN(host, ":", 2)[0], "."))
		if !strings.HasPrefix(to, s.origin(name)+"/.truxe/callback?ticket=") {
			t.Errorf("Host %s: the ticket leaves for %s, want %s", host, to, s.origin(name))
		}
	}
}

// ED-03 a site without a host name is its own portal: signing in there works, without single sign-on.
func TestSiteWithoutAHostNameIsItsOwnPortal(t *testing.T) {
	s := strangeSites.open(t)
	v := s.browser("app.test")
	here := []string{"Host", "other.example"}
	login := v.get("/deep?x=1", navigate, here).want(http.StatusFound).header.Get("Location")
	if !strings.HasPrefix(login, "/.truxe/login?r=") {
		t.Fatalf("an unconfigured host leads to %s", login)
	}
	id := strings.TrimPrefix(login, "/.truxe/login?r=")
	v.get(login, navigate, here).want(http.StatusOK)
	a := v.do(http.MethodPost, "/.truxe/login", values("username", "pia", "password", piaPassword, "return", id), submit,
		here,
		[]string{"Origin", "https://other.example"}).want(http.StatusSeeOther)
	if next := a.header.Get("Location"); !strings.HasPrefix(next, "/.truxe/continue?r=") {
		t.Fatalf("the form leads to %s", next)
	}
	last := v.get(a.header.Get("Location"), navigate, here).want(http.StatusOK)
	if to := last.header.Get("Refresh"); to != "0; url=/deep?x=1" {
		t.Errorf("the sign-in ends at %q", to)
	}
	v.get("/deep?x=1", navigate, here).want(http.StatusOK)
}

// ED-03 any callback uses its ticket up, whoever opens it and wherever: in a browser that did not begin the sign-in, at
// another host, signed in or not, in a frame, with a bad token beside it. The right browser cannot use it afterwards.
func TestEveryCallbackUsesItsTicketUp(t *testing.T) {
	s := ssoSites.open(t)
	frame := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site", "Accept",
		"text/html"}
	for name, open := range map[string]func(t *testing.T, victim *visitor, callback string){
		"another browser": func(_ *testing.T, _ *visitor, callback string) { s.browser("app.test").get(callback, navigate) },
		"another browser with a flow of its own": func(_ *testing.T, _ *visitor, callback string) {
			v := s.browser("app.test")
			v.begin("app.test", "/")
			if a := v.get(callback, navigate); a.setsCookie("__Host-truxe") != "" {
				t.Error("the wrong browser is signed in")
			}
		},
		"another browser that is signed in": func(_ *testing.T, _ *visitor, callback string) {
			v := s.browser("app.test")
			portal := v.at("auth.test")
			portal.follow(portal.tryForm(v.begin("app.test", "/").login, "pia", piaPassword).want(http.StatusSeeOther))
			v.get(callback, navigate)
		},
		"another host": func(_ *testing.T, _ *visitor, callback string) {
			s.browser("vault.test").get(strings.Replace(callback, "app.test", "vault.test", 1), navigate)
		},
		"the portal's host": func(_ *testing.T, victim *visitor, callback string) {
			victim.get(strings.Replace(callback, "app.test", "auth.test", 1), navigate)
		},
		"without its way back": func(_ *testing.T, _ *visitor, callback string) {
			cut, _, _ := strings.Cut(callback, "&r=")
			s.browser("app.test").get(cut, navigate)
		},
		"a frame": func(_ *testing.T, _ *visitor, callback string) { s.browser("app.test").get(callback, frame) },
		"beside a bad token": func(_ *testing.T, _ *visitor, callback string) {
			s.withBearer("app.test", "trx_pat_bad").get(callback, navigate)
		},
		"a form": func(_ *testing.T, _ *visitor, callback string) {
			s.bare("app.test").do(http.MethodPost, callback, "", program)
		},
	} {
		t.Run(name, func(t *testing.T) {
			victim, right := s.victim(), s.browser("app.test")
			b := right.begin("app.test", "/deep?x=1")
			callback := victim.ticketOf(b.login)
			if !strings.Contains(callback, "/.truxe/callback?ticket=") {
				t.Fatalf("no ticket: %s", callback)
			}
			open(t, victim, callback)
			if a := right.get(callback, navigate); a.setsCookie("__Host-truxe") != "" {
				t.Errorf("the ticket still signs in: %d %v", a.status, a.header)
			}
			// Accept control: the next ticket signs the right browser in, and the way ends at its page.
			a := right.get(victim.ticketOf(right.begin("app.test", "/deep?x=1").login), navigate).want(http.StatusFound)
			if a.setsCookie("__Host-truxe") == "" || a.header.Get("Location") != "/deep?x=1" {
				t.Errorf("control: %d %v", a.status, a.header)
			}
		})
	}
}
