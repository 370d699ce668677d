package test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// described is the sub-request of nginx.
func described(method, url string) []string {
	return []string{"X-Original-Method", method, "X-Original-Url", url}
}

// A visitor of a proxy that passes headers along, with what such a visitor adds to ask for a public page instead.
var addedByVisitors = map[string][]string{
	"the other kind":   described("GET", "https://one.test/open/x"),
	"its URL alone":    {"X-Original-Url", "https://one.test/open/x"},
	"its method alone": {"X-Original-Method", "GET"},
	"a second URI":     {"X-Forwarded-Uri", "/open/x"},
	"a second method":  {"X-Forwarded-Method", "GET"},
	"a second host":    {"X-Forwarded-Host", "one.test"},
	"a second scheme":  {"X-Forwarded-Proto", "https"},
	"the other kind, twice": append(described("GET", "https://one.test/open/x"),
		described("GET", "https://one.test/open/y")...),
	"an empty second URI":      {"X-Forwarded-Uri", ""},
	"an empty original URL":    {"X-Original-Url", ""},
	"a prefix and other noise": {"X-Original-Url", "/open/x", "X-Forwarded-Prefix", "/open", "X-Rewrite-Url", "/open/x"},
}

// ED-02: Caddy's stock forward_auth and Traefik hand a visitor's headers on. What a visitor adds to the description of
// the request never opens a page: two descriptions are refused, whichever is the proxy's.
func TestVisitorsCannotDescribeAnotherRequest(t *testing.T) {
	s := verifySite.open(t)
	proxy := s.bare("verify.test")
	proxy.get(endpoint, asked("GET", "one.test", "/open/x"), program).want(http.StatusOK)                 // control
	proxy.get(endpoint, described("GET", "https://one.test/open/x"), program).want(http.StatusOK)         // control
	proxy.get(endpoint, asked("GET", "one.test", "/admin/secret"), program).want(http.StatusUnauthorized) // control
	for name, added := range addedByVisitors {
		for _, list := range [][][]string{{asked("GET", "one.test", "/admin/secret"), added},
			{added, asked("GET", "one.test", "/admin/secret")}} {
			if a := proxy.get(endpoint, list[0], list[1], program); a.status != http.StatusBadRequest {
				t.Errorf("%s: %d, want 400", name, a.status)
			}
		}
	}
	for name, added := range map[string][]string{
		"underscores": {"X_Original_Url", "https://one.test/open/x", "X_Original_Method", "GET"},
		"dots":        {"X.Original.Url", "https://one.test/open/x", "X.Original.Method", "GET"},
		"mixed":       {"X_Forwarded_Uri", "/open/x", "X-Forwarded_Uri", "/open/x", "X.Forwarded.Uri", "/open/x"},
	} {
		proxy.get(endpoint, asked("GET", "one.test", "/open/x"), added, program).want(http.StatusOK) // they say nothing
		if a := proxy.get(endpoint, asked("GET", "one.test", "/admin/secret"), added,
			program); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, a.status)
		}
		if a := proxy.get(endpoint, added, program); a.status != http.StatusBadRequest {
			t.Errorf("%s alone: %d, want 400", name, a.status)
		}
	}
}

// ED-02: the same through a real second Caddy with its stock forward_auth: nothing that a visitor sends gets past it.
func TestVisitorsOfAnotherCaddyCannotDescribeAnotherRequest(t *testing.T) {
	s := verifySite.open(t)
	front := stockCaddy(t, s)
	outside := &story{t: t, g: front, up: s.up}
	visitor := outside.bare("one.test")
	visitor.get("/open/x", program).want(http.StatusOK) // control
	s.up.Forget()
	added := map[string][]string{"host": {"X-Forwarded-Host", "two.test"},
		"connection": {"Connection", "X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-Host",
			"X-Original-Url", "https://one.test/open/x", "X-Original-Method", "GET"}}
	for name, list := range addedByVisitors {
		added[name] = list
	}
	for name, list := range added {
		if a := visitor.get("/admin/secret", list, program); a.status != http.StatusUnauthorized &&
			a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if seen := s.up.Seen(); len(seen) > 0 {
		t.Errorf("the app was reached: %s", seen[0].Raw)
	}
}

// stockCaddy is a second Caddy with the snippet of Caddy's own documentation before the story's upstream.
func stockCaddy(t *testing.T, s *story) *rig.Caddy {
	t.Helper()
	return rig.Gateway(t, rig.Options{Caddyfile: strings.NewReplacer("VERIFY", strconv.Itoa(s.g.Port("https")), "UPSTREAM",
		s.up.Addr()).Replace(site("one.test", `	forward_auth https://127.0.0.1:VERIFY {
		uri /.truxe/forward-auth
		header_up Host verify.test
		copy_headers Remote-User
		transport http {
			tls_server_name verify.test
			tls_insecure_skip_verify
		}
	}
	reverse_proxy UPSTREAM`))})
}

// kindsSite has one endpoint for each kind of proxy.
var kindsSite = share(plot{
	global: "\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}",
	sites: endpointOf("nginx") + endpointOf("traefik") + endpointOf("caddy") + endpointOf("haproxy") +
		endpointOf("envoy") +
		strings.ReplaceAll(endpointOf("any"), "\t\tfrom any\n", ""),
})

func endpointOf(kind string) string {
	return site(fmt.Sprintf("verify-%[1]s.test, %[1]s.test", kind),
		fmt.Sprintf("\ttruxe forward_auth {\n\t\thosts %[1]s.test\n\t\tfrom %[1]s\n\t\tpublic /open/*\n\t\tallow role member\n\t}", kind))
}

// ED-02: with `from`, one kind of headers is believed and the other is a visitor's text.
func TestNamedProxyIsBelievedAndNoOther(t *testing.T) {
	s := kindsSite.open(t)
	for _, kind := range []string{"nginx", "traefik", "caddy", "haproxy", "envoy"} {
		host, proxy := kind+".test", s.bare("verify-"+kind+".test")
		its := func(path string) []string { return asked("GET", host, path) }
		other := func(path string) []string { return described("GET", "https://"+host+path) }
		if kind == "nginx" {
			its, other = other, its
		}
		proxy.get(endpoint, its("/open/x"), program).want(http.StatusOK) // control
		proxy.get(endpoint, its("/open/x"), other("/admin/secret"), program).want(http.StatusOK)
		proxy.get(endpoint, its("/admin/secret"), other("/open/x"), program).want(http.StatusUnauthorized)
		proxy.get(endpoint, other("/open/x"), its("/admin/secret"), other("/open/y"), program).want(http.StatusUnauthorized)
		proxy.get(endpoint, other("/open/x"), program).want(http.StatusBadRequest)
		proxy.get(endpoint, its("/open/x"), its("/open/x"), program).want(http.StatusBadRequest)
		proxy.get(endpoint, program).want(http.StatusBadRequest)
	}
}

// ED-02 ED-22: Envoy appends the original path to the URL and keeps method and Host (field case 5).
func TestEnvoyAppendsTheOriginalPath(t *testing.T) {
	s := kindsSite.open(t)
	https := []string{"X-Forwarded-Proto", "https"}
	envoy := s.bare("envoy.test")
	envoy.get("/.truxe/ext-authz/open/x?y=1", https, program).want(http.StatusOK)
	envoy.get("/.truxe/ext-authz/orders/7?x=1", https, program).problem(http.StatusUnauthorized, "login_required")
	envoy.do(http.MethodPost, "/.truxe/ext-authz/orders/7", "", https, program).want(http.StatusUnauthorized)
	a := envoy.get("/.truxe/ext-authz/orders/7?x=%2F..%2Fb&y=a+b", https, navigate).want(http.StatusFound)
	if to := a.header.Get("Location"); !strings.HasPrefix(to, "https://envoy.test/.truxe/login") {
		t.Errorf("redirected to %q", to)
	}
	pia := s.browser("envoy.test")
	pia.signIn("pia", piaPassword)
	known := s.bare("envoy.test")
	known.cookie = "__Host-truxe=" + pia.session() + "; theme=dark"
	a = known.get("/.truxe/ext-authz/orders/7", https, program).want(http.StatusOK)
	if a.header.Get("Remote-User") != "pia" {
		t.Errorf("identity: %v", a.header)
	}
	// Envoy overwrites what an answer names and removes what this header lists; the rest stays as the visitor sent it
	if a.header.Get("Cookie") != "theme=dark" ||
		a.header.Get("X-Envoy-Auth-Headers-To-Remove") != "authorization,x-truxe-jwt-assertion" {
		t.Errorf("for the app: Cookie %q, removed %q", a.header.Get("Cookie"), a.header.Get("X-Envoy-Auth-Headers-To-Remove"))
	}
}

// ED-02 ED-13: Envoy asks at the app's own host, so a script of the app's page can ask the same. It gets an answer,
// with the visitor's other cookies in it, only where the operator has named Envoy and so keeps visitors from the URL.
func TestScriptsOfTheAppReadNoCookiesInEnvoysAnswer(t *testing.T) {
	s := kindsSite.open(t)
	for _, kind := range []string{"any", "nginx", "traefik", "caddy", "haproxy", "envoy"} {
		pia := s.browser(kind + ".test")
		pia.signIn("pia", piaPassword)
		page := s.bare(kind + ".test")
		page.cookie = "__Host-truxe=" + pia.session() + "; app=http-only"
		for _, path := range []string{"/open/x", "/orders/7"} {
			a := page.get("/.truxe/ext-authz"+path, []string{"X-Forwarded-Proto", "https"}, fetch)
			switch {
			case kind == "envoy": // control
				if a.want(http.StatusOK); a.header.Get("Cookie") != "app=http-only" {
					t.Errorf("Envoy gets the cookie %q", a.header.Get("Cookie"))
				}
			case a.status != http.StatusBadRequest, a.header.Get("Cookie") != "", a.header.Get("Remote-User") != "",
				!strings.Contains(a.body, "write `from envoy`"):
				t.Errorf("%s %s: %d %v %s", kind, path, a.status, a.header, a.body)
			}
		}
	}
	// control: other ways need no word
	s.bare("verify-any.test").get(endpoint, asked("GET", "any.test", "/open/x"), program).want(http.StatusOK)
}

// ED-02: the path after the prefix is judged byte for byte; no spelling of it, and no header, makes it another.
func TestEnvoyPathIsJudgedAsItCame(t *testing.T) {
	s := kindsSite.open(t)
	https := []string{"X-Forwarded-Proto", "https"}
	envoy := s.bare("envoy.test")
	envoy.get("/.truxe/ext-authz/open/a%20b", https, program).want(http.StatusOK) // control
	for _, path := range []string{"/open/../admin", "/open/%2e%2e/admin", "/open/..%2fadmin", "/open/..;/admin",
		"//open/x", "/open%2fx", "/../open/x", "/%2e%2e/open/x", "/x/..%5copen/x"} {
		if a := envoy.get("/.truxe/ext-authz"+path, https, program); a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for name, added := range map[string][]string{"nginx's": described("GET", "https://envoy.test/open/x"),
		"forwarded": asked("GET", "envoy.test", "/open/x")[4:],
		"uri":       {"X-Forwarded-Uri", "/open/x", "X-Forwarded-Method", "GET"},
		"envoy's":   {"X-Envoy-Original-Path", "/open/x"}} {
		if a := envoy.get("/.truxe/ext-authz/admin/secret", https, added, program); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	for name, a := range map[string]answer{
		"no scheme":     envoy.get("/.truxe/ext-authz/open/x", program),
		"plain http":    envoy.get("/.truxe/ext-authz/open/x", []string{"X-Forwarded-Proto", "http"}, program),
		"two schemes":   envoy.get("/.truxe/ext-authz/open/x", https, https, program),
		"no path":       envoy.get("/.truxe/ext-authz", https, program),
		"encoded name":  envoy.get("/.truxe/ext%2dauthz/open/x", https, program),
		"own host":      s.bare("verify-envoy.test").get("/.truxe/ext-authz/open/x", https, program),
		"another host":  envoy.get("/.truxe/ext-authz/open/x", https, []string{"Host", "evil.test"}, program),
		"another proxy": s.bare("nginx.test").get("/.truxe/ext-authz/open/x", https, program),
	} {
		if a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

// ED-05: a WebSocket through another proxy carries the visitor's cookie whatever page opened it. Proxies drop Upgrade,
// which belongs to one connection; what stays of a handshake is enough to see it.
func TestSocketsOfForeignPagesThroughOtherProxies(t *testing.T) {
	s := kindsSite.open(t)
	for _, kind := range []string{"nginx", "traefik", "caddy", "haproxy", "envoy"} {
		host := kind + ".test"
		pia := s.browser(host)
		pia.signIn("pia", piaPassword)
		proxy := s.bare("verify-" + kind + ".test")
		proxy.cookie = "__Host-truxe=" + pia.session()
		its, path := asked("GET", host, "/ws"), endpoint
		if kind == "nginx" {
			its = described("GET", "https://"+host+"/ws")
		}
		if kind == "envoy" {
			proxy.host, its, path = host, []string{"X-Forwarded-Proto", "https"}, "/.truxe/ext-authz/ws"
		}
		for name, handshake := range map[string][]string{
			"upgrade":         {"Upgrade", "websocket", "Connection", "Upgrade"},
			"without upgrade": {"Sec-Websocket-Version", "13", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
			"over http2":      {"Sec-Websocket-Version", "13"},
			"fetch metadata":  {"Sec-Fetch-Mode", "websocket", "Sec-Fetch-Dest", "empty"},
		} {
			proxy.get(path, its, handshake, []string{"Origin", "https://" + host}).want(http.StatusOK)
			for _, origin := range []string{"https://evil.test", "http://" + host, "https://" + host + ":9999", "null", ""} {
				headers := [][]string{its, handshake}
				if origin != "" {
					headers = append(headers, []string{"Origin", origin})
				}
				if a := proxy.get(path, headers...); a.status != http.StatusForbidden {
					t.Errorf("%s, %s, from %q: %d, want 403", kind, name, origin, a.status)
				}
			}
			a := s.bare(proxy.host).get(path, its, handshake, []string{"Origin", "https://" + host, "Accept", "text/html"})
			a.problem(http.StatusUnauthorized, "login_required")
		}
		if kind != "nginx" && kind != "envoy" { // Traefik with trustForwardHeader says so in the scheme
			its[3] = "wss"
			proxy.get(path, its, []string{"Origin", "https://" + host}).want(http.StatusOK)
			proxy.get(path, its, []string{"Origin", "https://evil.test"}).want(http.StatusForbidden)
			its[3] = "ws"
			proxy.get(path, its, []string{"Origin", "https://" + host}).want(http.StatusBadRequest)
		}
	}
}

// ED-05: the same in the words that nginx and Traefik use where nothing says which proxy asks.
func TestSocketOfAForeignPageIsSeenWithoutUpgrade(t *testing.T) {
	s := verifySite.open(t)
	pia := s.browser("one.test")
	pia.signIn("pia", piaPassword)
	proxy := s.bare("verify.test")
	proxy.cookie = "__Host-truxe=" + pia.session()
	traefik := asked("GET", "one.test", "/ws")
	traefik[3] = "wss"
	key := []string{"Sec-Websocket-Version", "13", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	for name, its := range map[string][]string{"nginx": append(described("GET", "https://one.test/ws"), key...),
		"Traefik": traefik} {
		proxy.get(endpoint, its, []string{"Origin", "https://one.test"}).want(http.StatusOK)
		if a := proxy.get(endpoint, its, []string{"Origin", "https://evil.test"}); a.status != http.StatusForbidden {
			t.Errorf("%s: a foreign page's socket: %d, want 403", name, a.status)
		}
	}
}

// ED-13: a 200 says in Cookie and Authorization what is left for the app, without the gateway's own.
func TestForwardAuthKeepsCookieAndTokenFromTheApp(t *testing.T) {
	s := kindsSite.open(t)
	pia := s.browser("traefik.test")
	pia.signIn("pia", piaPassword)
	token := s.login("traefik.test", "pia", piaPassword).Access
	proxy := s.bare("verify-traefik.test")
	its := asked("GET", "traefik.test", "/x")
	proxy.cookie = "a=1; __Host-truxe=" + pia.session() + "; b=2; __Host-truxe-flow=x"
	a := proxy.get(endpoint, its, []string{"Authorization", "Basic YXBwOmFwcA=="}).want(http.StatusOK)
	if a.header.Get("Cookie") != "a=1; b=2" || a.header.Get("Authorization") != "Basic YXBwOmFwcA==" {
		t.Errorf("the app's own: %q %q", a.header.Get("Cookie"), a.header.Get("Authorization"))
	}
	proxy.cookie = "__Host-truxe=" + pia.session()
	if a = proxy.get(endpoint, its).want(http.StatusOK); len(a.header["Cookie"])+len(a.header["Authorization"]) > 0 {
		t.Errorf("nothing is left, so nothing is named: %v", a.header)
	}
	proxy.cookie = ""
	if a = proxy.get(endpoint, its, []string{"Authorization",
		"Bearer " + token}).want(http.StatusOK); len(a.header["Authorization"]) > 0 || a.header.Get("Remote-User") != "pia" {
		t.Errorf("the token: %v", a.header)
	}
	// a script of the app's page could ask the endpoint through the route for /.truxe/ and read HttpOnly cookies there
	own := s.bare("traefik.test")
	own.cookie = "a=1"
	if a = own.get(endpoint, asked("GET", "traefik.test", "/open/x")).want(http.StatusOK); len(a.header["Cookie"]) > 0 {
		t.Errorf("asked at the app's host: %v", a.header)
	}
}

// ED-22: nginx drops the body of a refusal and has no redirect, so it asks again for the answer itself and hands that
// on.
func TestNginxAsksForTheAnswerItself(t *testing.T) {
	s := kindsSite.open(t)
	proxy := s.bare("verify-nginx.test")
	its := described("GET", "https://nginx.test/deep?x=1")
	a := proxy.get(endpoint+"/answer", its, navigate).want(http.StatusFound)
	if !strings.HasPrefix(a.header.Get("Location"), "https://nginx.test/.truxe/login") ||
		a.setsCookie("__Host-truxe-flow") == "" {
		t.Errorf("%v", a.header)
	}
	proxy.get(endpoint+"/answer", its, program).problem(http.StatusUnauthorized, "login_required")
	a = proxy.get(endpoint+"/answer", described("POST", "https://nginx.test/form"), submit).want(http.StatusUnauthorized)
	if !strings.Contains(a.body, "Your session ended") {
		t.Errorf("%.300s", a.body)
	}
	// never 2xx: it is asked only after a refusal
	proxy.outage = true
	proxy.get(endpoint+"/answer", described("GET", "https://nginx.test/open/x"),
		program).want(http.StatusServiceUnavailable)
}

// ED-22: an answer about a HEAD request is an answer to the proxy's own GET. A length of a body that does not come
// would break the connection to the proxy.
func TestAnswersAboutHEADAreWhole(t *testing.T) {
	s := verifySite.open(t)
	proxy := s.bare("verify.test")
	page := []string{"Accept", "text/html"}
	for _, path := range []string{endpoint, endpoint + "/answer"} {
		for _, method := range []string{"HEAD", "GET", "POST"} {
			for _, kind := range [][]string{program, page, {"Cookie", "__Host-truxe=broken"}} {
				if _, err := proxy.try("GET", path, "", asked(method, "one.test", "/admin/secret"), kind); err != nil {
					t.Errorf("%s about %s as %v: %v", path, method, kind, err)
				}
			}
		}
	}
}
