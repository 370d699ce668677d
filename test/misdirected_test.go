package test

import (
	"net/http"
	"strings"
	"testing"
)

// knownHosts is a gateway beside a site that is not ours, on the same listener.
var knownHosts = share(plot{
	global: "\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}",
	sites: site("verify.test, app1.test", "\ttruxe forward_auth {\n\t\thosts app1.test\n\t}") +
		site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM") +
		site("half.test", "\thandle /only {\n\t\trespond here\n\t}") +
		site("*.wild.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
})

// sentTo is a request over a connection to a served name, for another host.
func sentTo(host string) []string { return []string{"Host", host} }

// ED-04 (FIELD-CASES 1): Caddy answers a host that no site has with an empty 200, which an outer proxy reads as
// "allow". Where the gateway is, such a request gets 421 on every path; hosts that are served are answered as before.
func TestUnknownHostIsNeverAllowed(t *testing.T) {
	s := knownHosts.open(t)
	v := s.bare("verify.test")
	v.get(endpoint, asked("GET", "app1.test", "/x"), program).problem(http.StatusUnauthorized, "login_required") // control
	for _, host := range []string{"caddy", "10.0.0.7", "verify.test.", "a.b.wild.test", "verify.test.evil.example",
		"[::1]"} {
		for _, path := range []string{endpoint, "/.truxe/", "/.truxe/health/ready", "/.truxe/api/v1/login", "/",
			"/anything"} {
			for _, method := range []string{"GET", "POST"} {
				a := v.do(method, path, "", sentTo(host), asked("GET", "app1.test", "/x"), program)
				a.problem(http.StatusMisdirectedRequest, "misdirected")
				if cc := a.header.Get("Cache-Control"); cc != "no-store" {
					t.Errorf("%s: Cache-Control %q", host, cc)
				}
			}
		}
		v.do("HEAD", endpoint, "", sentTo(host), asked("GET", "app1.test", "/x")).want(http.StatusMisdirectedRequest)
	}
	v.get("/", sentTo("a.wild.test"), program).problem(http.StatusUnauthorized, "login_required")
}

// ED-04: a host that another site serves keeps Caddy's answers, also its empty 200 where no route matches, but not
// below the gateway's path.
func TestHostOfAnotherSiteKeepsItsAnswers(t *testing.T) {
	s := knownHosts.open(t)
	v := s.bare("half.test")
	if a := v.get("/only").want(http.StatusOK); a.body != "here" {
		t.Errorf("body %q", a.body)
	}
	if a := v.get("/elsewhere").want(http.StatusOK); a.body != "" {
		t.Errorf("body %q", a.body)
	}
	for _, path := range []string{endpoint, "/.truxe", "/.truxe/", "/.truxe/login"} {
		v.get(path, asked("GET", "app1.test", "/x"), program).problem(http.StatusMisdirectedRequest, "misdirected")
	}
}

// ED-04: the same after a reload, and while a refused reload has been tried.
func TestUnknownHostIsRefusedAfterAReload(t *testing.T) {
	s := tell(t, plot{sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	refused := func() {
		t.Helper()
		s.bare("app.test").get("/.truxe/forward-auth", sentTo("caddy"), program).problem(http.StatusMisdirectedRequest,
			"misdirected")
	}
	refused()
	if err := s.g.Reload(s.caddyfile(plot{sites: site("app.test", "\ttruxe {\n\t\tnonsense\n\t}")})); err == nil {
		t.Fatal("nonsense was taken")
	}
	refused()
	if err := s.g.Reload(s.caddyfile(plot{sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM") + site("new.test",
		"\trespond new")})); err != nil {
		t.Fatal(err)
	}
	refused()
	if a := s.bare("new.test").get("/").want(http.StatusOK); a.body != "new" {
		t.Errorf("body %q", a.body)
	}
}

// ED-04 ED-26: the same for configurations in JSON, whose routes need not be terminal; with strict_sni_host Caddy
// refuses before us. A gate without the gateway's pages is an error of the configuration.
func TestConfigurationsInJSON(t *testing.T) {
	s := tell(t, plot{sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM") + site("half.test",
		"\thandle /only {\n\t\trespond here\n\t}")})
	_, raw := s.g.Admin("GET", "/config/", nil)
	edited := func(edit func(server map[string]any)) map[string]any {
		var config map[string]any
		readJSON(t, raw, &config)
		for _, server := range config["apps"].(map[string]any)["http"].(map[string]any)["servers"].(map[string]any) {
			edit(server.(map[string]any))
		}
		return config
	}
	flat := func(server map[string]any) {
		for _, r := range server["routes"].([]any) {
			delete(r.(map[string]any), "terminal")
		}
	}
	if status, body := s.g.Admin("POST", "/load", edited(flat)); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	s.g.WaitListening()
	v := s.bare("app.test")
	v.get("/", program).problem(http.StatusUnauthorized, "login_required")
	v.get("/x", sentTo("caddy"), program).problem(http.StatusMisdirectedRequest, "misdirected")
	v.get(endpoint, sentTo("half.test"), program).problem(http.StatusMisdirectedRequest, "misdirected")
	if a := v.get("/elsewhere", sentTo("half.test")).want(http.StatusOK); a.body != "" {
		t.Errorf("body %q", a.body)
	}

	if status, body := s.g.Admin("POST", "/load",
		edited(func(server map[string]any) { server["strict_sni_host"] = true })); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	s.g.WaitListening()
	s.bare("app.test").get(endpoint, sentTo("caddy"), program).want(http.StatusMisdirectedRequest)
	s.bare("app.test").get("/", program).problem(http.StatusUnauthorized, "login_required")

	text := strings.ReplaceAll(string(raw), `{"handler":"truxe_portal"},`, "")
	if text == string(raw) {
		t.Fatalf("no portal handler in %s", raw)
	}
	var without map[string]any
	readJSON(t, []byte(text), &without)
	if status, body := s.g.Admin("POST", "/load", without); status == http.StatusOK ||
		!strings.Contains(string(body), "truxe_portal") {
		t.Errorf("a gate without pages: %d %s", status, body)
	}
	s.bare("app.test").get("/", program).problem(http.StatusUnauthorized, "login_required") // the old one goes on
}
