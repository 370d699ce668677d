package test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

const appsPolicy = `roles:
  member: {}
  viewer: { permissions: ["orders:read"] }
rules:
  - { id: orders, effect: allow, hosts: [orders.test], to: { permission: "orders:read" } }
  - { id: vault, effect: allow, hosts: [vault.test], to: anyone_signed_in }
  - { id: vault-mfa, effect: require, hosts: [vault.test], require: { mfa: true } }
  - { id: closed, effect: allow, hosts: [closed.test], to: anyone_signed_in }
  - { id: closed-today, effect: deny, hosts: [closed.test] }
  - { id: deep, effect: allow, hosts: [deep.test], paths: ["/home/**"], to: anyone_signed_in }
  - { id: shallow, effect: allow, hosts: [shallow.test], paths: ["/home/**"], to: anyone_signed_in }
  - { id: office, effect: allow, hosts: [office.test], networks: [192.0.2.0/24], to: anyone_signed_in }
  - { id: open, effect: public, hosts: [open.test] }
  - { id: forwarded, effect: allow, hosts: [forwarded.test], to: anyone_signed_in }
`

func appSites() string {
	proxied := func(host, options string) string { return site(host, "\ttruxe"+options+"\n\treverse_proxy UPSTREAM") }
	return proxied("orders.test", " {\n\t\tapp Orders {\n\t\t\tdescription \"Who ordered what\"\n\t\t}\n\t}") +
		proxied("vault.test", "") + proxied("closed.test", "") +
		proxied("deep.test", " {\n\t\tapp Deep {\n\t\t\tstart /home/\n\t\t}\n\t}") + proxied("shallow.test",
		"") + proxied("office.test", "") + proxied("open.test", "") +
		proxied("granted.test", " {\n\t\tpolicy apps\n\t\tallow permission orders:read\n\t}") + proxied("tried.test",
		" {\n\t\tmode report\n\t}") +
		site("nested.test",
			"\thandle /.truxe/* {\n\t\ttruxe portal\n\t}\n\thandle_path /app/* {\n\t\ttruxe {\n\t\t\tallow role viewer\n\t\t\tapp Nested {\n\t\t\t\tstart /app/\n\t\t\t}\n\t\t}\n\t\treverse_proxy UPSTREAM\n\t}") +
		site("verify.test", "\ttruxe forward_auth {\n\t\thosts forwarded.test\n\t\tapp Forwarded\n\t}")
}

type appList struct {
	Items []struct {
		Name, Host, URL, Description string
		StepUp                       bool `json:"step_up"`
	}
	NextCursor *string `json:"next_cursor"`
}

// hosts lists what a user may open, "+" after what wants more than the present sign-in.
func (v *visitor) hosts() []string {
	v.s.t.Helper()
	var list appList
	v.api("GET", "apps", nil).want(http.StatusOK).json(&list)
	if list.NextCursor == nil {
		v.s.t.Error("no next_cursor")
	}
	hosts := []string{}
	for _, a := range list.Items {
		if a.StepUp {
			a.Host += "+"
		}
		hosts = append(hosts, a.Host)
	}
	slices.Sort(hosts)
	return hosts
}

// CONTRACT 6, UX Launcher: the page of apps and its list at the API name what a user may open, whatever the rules of
// policy files and Caddyfile say, and mark what asks for a step-up. They follow roles and files at once.
func TestPageOfAppsListsWhatAPersonMayOpen(t *testing.T) {
	dir := policyFolder(t, "apps.yaml", appsPolicy)
	s := tell(t, plot{options: "\t\tpolicies " + dir, sites: appSites()})
	s.user("vic", "a quiet viewer of orders", "viewer")
	pia, vic := s.withBearer("orders.test", s.login("orders.test", "pia", piaPassword).Access), s.withBearer("orders.test",
		s.login("orders.test", "vic", "a quiet viewer of orders").Access)
	everybody := []string{"deep.test", "forwarded.test", "open.test", "tried.test", "vault.test+"}
	more := slices.Sorted(slices.Values(append([]string{"granted.test", "nested.test", "orders.test"}, everybody...)))
	if got := pia.hosts(); !slices.Equal(got, everybody) {
		t.Errorf("a member may open %v, want %v", got, everybody)
	}
	if got := vic.hosts(); !slices.Equal(got, more) {
		t.Errorf("a viewer may open %v, want %v", got, more)
	}
	var list appList
	vic.api("GET", "apps", nil).json(&list)
	for _, a := range list.Items {
		switch a.Host {
		case "orders.test":
			if a.Name != "Orders" || a.Description != "Who ordered what" ||
				a.URL != "https://orders.test:"+fmt.Sprint(s.g.Port("https"))+"/" {
				t.Errorf("%+v", a)
			}
		case "vault.test":
			if a.Name != "vault.test" {
				t.Errorf("%+v", a)
			}
		case "forwarded.test":
			if a.Name != "Forwarded" || a.URL != "https://forwarded.test/" {
				t.Errorf("%+v", a)
			}
		case "deep.test", "nested.test":
			if !strings.HasSuffix(a.URL, map[string]string{"deep.test": "/home/", "nested.test": "/app/"}[a.Host]) {
				t.Errorf("%+v", a)
			}
		}
	}
	s.bare("orders.test").api("GET", "apps", nil).problem(http.StatusUnauthorized, "login_required")

	browser := s.browser("open.test")
	browser.signIn("vic", "a quiet viewer of orders")
	page := browser.get("/.truxe/", navigate).want(http.StatusOK).body
	for text, want := range map[string]bool{">Orders<": true, "closed.test": false, "office.test": false, "/home/\"": true,
		"shallow.test": false, "vault.test": true} {
		if strings.Contains(page, text) != want {
			t.Errorf("the page has %q: %v", text, !want)
		}
	}
	// The list promises nothing that is refused.
	for _, host := range []string{"orders.test", "granted.test", "tried.test", "closed.test", "office.test",
		"shallow.test", "vault.test"} {
		v := *vic
		v.host = host
		open := slices.Contains(more, host)
		if a := v.get("/", program); (a.status == http.StatusOK) != open ||
			host == "vault.test" && a.status != http.StatusUnauthorized {
			t.Errorf("%s answers %d", host, a.status)
		}
	}
	// A gate inside a block, with the gateway's pages beside it (docs/explanation/paths.md).
	nested := s.browser("nested.test")
	if to := nested.get("/app/", navigate).want(http.StatusFound).header.Get("Location"); !strings.HasPrefix(to,
		"/.truxe/login") {
		t.Errorf("a block leads to %q", to)
	}
	nested.signIn("vic", "a quiet viewer of orders").want(http.StatusOK)
	nested.get("/app/", program).want(http.StatusOK)
	s.cli("roles", "grant", "pia", "viewer")
	if got := pia.hosts(); !slices.Equal(got, more) {
		t.Errorf("with the role: %v", got)
	}
	writePolicy(t, dir, "apps.yaml", strings.Replace(appsPolicy,
		"  - { id: closed-today, effect: deny, hosts: [closed.test] }\n", "", 1))
	rig.WaitFor(t, 10*time.Second, "the opened site", func() bool { return slices.Contains(pia.hosts(), "closed.test") })
}

// OP-06: the page of apps is quick at a gateway with many sites.
func TestPageOfAppsIsQuickWithManySites(t *testing.T) {
	var sites strings.Builder
	const many = 600
	for i := range many {
		sites.WriteString(site(fmt.Sprintf("a%d.test", i),
			fmt.Sprintf("\ttruxe {\n\t\tallow role r%d\n\t}\n\treverse_proxy UPSTREAM", i%2)))
	}
	s := tell(t, plot{sites: sites.String()})
	s.cli("roles", "grant", "pia", "r1")
	v := s.withBearer("a1.test", s.login("a1.test", "pia", piaPassword).Access)
	if got := v.hosts(); len(got) != many/2 {
		t.Errorf("%d of %d", len(got), many)
	}
	best := time.Hour
	for range 5 {
		began := time.Now()
		v.hosts()
		best = min(best, time.Since(began))
	}
	t.Logf("%d sites took %v", many, best.Round(100*time.Microsecond))
	if best > timebound.Limit(500*time.Millisecond) {
		t.Errorf("%d sites took %v", many, best)
	}
}
