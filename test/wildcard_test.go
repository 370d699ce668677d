package test

import (
	"net/http"
	"strings"
	"testing"
)

var wildcards = share(plot{
	options: "portal auth.wild.test",
	sites: site("auth.wild.test", "\ttruxe portal") + site("*.wild.test", "\ttruxe\n\treverse_proxy UPSTREAM") +
		site("exact.wild.test", "\ttruxe {\n\t\tallow role boss\n\t}\n\treverse_proxy UPSTREAM"),
})

// ED-21 (FIELD-CASES 14): single sign-on reaches every host of a wildcard site, each with a session of its own.
func TestSingleSignOnAtHostsOfAWildcard(t *testing.T) {
	s := wildcards.open(t)
	v := s.browser("a.wild.test")
	login := v.get("/deep?x=1", navigate).want(http.StatusFound).header.Get("Location")
	if !strings.HasPrefix(login, "https://auth.wild.test") {
		t.Fatalf("to %s", login)
	}
	v.host = "auth.wild.test"
	page := v.get(login, navigate).want(http.StatusOK)
	way := wayBackField.FindStringSubmatch(page.body)[1]
	to := v.form("login", "username", "pia", "password", piaPassword, "return",
		way).want(http.StatusSeeOther).header.Get("Location")
	leads := v.get(to, navigate).want(http.StatusOK).header.Get("Refresh")
	_, callback, _ := strings.Cut(leads, "url=")
	if !strings.Contains(callback, "://a.wild.test") || !strings.Contains(callback, "/.truxe/callback?ticket=") {
		t.Fatalf("the ticket goes to %q", leads)
	}
	v.host = "a.wild.test"
	if to := v.get(callback, navigate).want(http.StatusFound).header.Get("Location"); to != "/deep?x=1" {
		t.Errorf("lands at %s", to)
	}
	v.get("/deep?x=1", navigate).want(http.StatusOK)
	b := s.browser("b.wild.test")
	b.c.Jar = v.c.Jar
	b.get("/", navigate).want(http.StatusFound) // another host of the wildcard has no session yet
	exact := s.browser("exact.wild.test")
	exact.get("/", program).want(http.StatusUnauthorized)
}

// ED-21 (FIELD-CASES 14): without a portal each host of a wildcard has its own issuer, passkey endpoints and sign-in,
// and its tokens count at the gateway; a token that names an unknown host does not.
func TestHostsOfAWildcardAreIssuersOfTheirOwn(t *testing.T) {
	s := tell(t, plot{sites: site("*.wild.test", "\ttruxe {\n\t\tapp Wild\n\t}\n\treverse_proxy UPSTREAM")})
	out := s.login("a.wild.test", "pia", piaPassword)
	iss, _ := claimsOf(t, out.Access)["iss"].(string)
	if !strings.HasPrefix(iss, "https://a.wild.test") {
		t.Errorf("iss %v", iss)
	}
	for _, host := range []string{"a.wild.test", "b.wild.test"} {
		s.withBearer(host, out.Access).get("/", program).want(http.StatusOK)
	}
	v := s.bare("a.wild.test")
	var where map[string]string
	v.get("/.well-known/passkey-endpoints").want(http.StatusOK).json(&where)
	if !strings.HasPrefix(where["enroll"], "https://a.wild.test") {
		t.Errorf("passkeys at %v", where)
	}
	v.bearer = out.Access
	var list appList
	v.api("GET", "apps", nil).want(http.StatusOK).json(&list)
	if len(list.Items) != 1 || list.Items[0].Host != "a.wild.test" ||
		!strings.HasPrefix(list.Items[0].URL, "https://a.wild.test") {
		t.Errorf("apps %+v", list.Items)
	}
}

// ED-21 R13: a site without a host name serves every host as its own portal. No single sign-on ticket, issuer or
// passkey is made for a host that only a client names, and the log says so with the remedy.
func TestCatchAllSiteIsItsOwnPortalWithoutTickets(t *testing.T) {
	s := tell(t, plot{global: behind, sites: site(`http://:{{port "inner"}}`,
		"\ttruxe\n\treverse_proxy UPSTREAM") + site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	s.g.WaitLog(`no host name.*single sign-on.*origin https://`)
	v := s.bare("anything.example")
	out := v.innerLogin(s.g.Port("inner"), "pia", piaPassword)
	if iss, _ := claimsOf(t, out.Access)["iss"].(string); strings.Contains(iss, "anything") || iss == "" {
		t.Errorf("iss %v", iss)
	}
	v.bearer = out.Access
	v.inner(s.g.Port("inner"), "GET", "/", nil, program).want(http.StatusOK)
	if to := v.inner(s.g.Port("inner"), "GET", "/.truxe/account/passkeys", nil).body; strings.Contains(to,
		"data-passkey-button") {
		t.Error("passkeys are offered for a host that the client names")
	}
}
