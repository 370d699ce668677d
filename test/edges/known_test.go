package edges

import (
	"strings"
	"testing"
)

// known are the differences that the property test found and that were fixed: a configuration, requests that showed
// them, and one beside them that has to pass.
var known = []struct {
	name    string
	config  *config
	attacks []*request
	control *request
}{
	// ED-01 the app of one site believes the header that another site's preset names.
	{"headers of another site's preset", serving(
		at("one.test", &gate{match: &matcher{method: "POST"}}),
		at("two.test", &gate{headers: "gitea"})),
		variants(func(r *request, name string) { r.forged = []field{{name, "forged"}} }, "X-WEBAUTH-FULLNAME",
			"x-webauth-user", "X+WebAuth-Email"),
		asking(nil)},
	// ED-01
	{"headers of another handle block", serving(&site{host: "one.test", port: "https", body: []item{
		{block: &block{"handle", "/a/*", []item{{gate: &gate{custom: []field{{"X-App-Roles", "{http.auth.user.roles}"}}}},
			{app: 1}}}},
		{block: &block{"handle", "", []item{{gate: &gate{public: []string{"/x"}}}, {app: 1}}}}}}),
		variants(func(r *request, name string) { r.forged = []field{{name, "forged"}} }, "X-App-Roles", "x+app+roles"),
		asking(nil)},
	// ED-03
	{"tickets for unconfigured hosts", &config{portal: true, sites: []*site{at("", &gate{})}},
		variants(func(r *request, host string) { r.host, r.kind = host, "navigate" }, "evil.example", "one.test"),
		asking(func(r *request) { r.host, r.cookie = "other.test", credential{"valid", nil} })},
	// ED-03
	{"tickets for other ports", &config{portal: true, sites: []*site{at("one.test", &gate{})}},
		variants(func(r *request, host string) { r.host, r.odd, r.kind = host, true, "navigate" }, "one.test:9999",
			`one.test:{{port "second"}}`),
		asking(signedIn)},
	// ED-04
	{"pages of the gateway at unconfigured hosts", serving(at("one.test", &gate{})),
		variants(func(r *request, path string) { r.host, r.odd, r.path = "nobody.test", true, path }, "/.truxe/login",
			"/.truxe/forward-auth", "/.truxe/api/v1/session"),
		asking(signedIn)},
	// ED-05
	{"WebSockets of other origins", serving(at("one.test", &gate{})),
		variants(func(r *request, origin string) {
			signedIn(r)
			r.kind, r.origin = "socket", origin
		}, "", "http", "port", "foreign", "null"),
		asking(func(r *request) {
			signedIn(r)
			r.kind, r.origin = "socket", "same"
		})},
	// ED-05: a public page is for everyone, and a foreign page's socket is anonymous on it.
	{"WebSockets of other origins on public paths", serving(at("one.test", &gate{public: []string{"/x"}})),
		variants(func(r *request, origin string) {
			signedIn(r)
			r.kind, r.origin = "socket", origin
		}, "", "http", "foreign"),
		asking(func(r *request) {
			signedIn(r)
			r.kind, r.origin = "socket", "same"
		})},
	// ED-06
	{"spellings that pass a matcher", serving(at("one.test", &gate{match: &matcher{paths: []string{"/admin/*"}}})),
		variants(func(r *request, path string) { r.path, r.spelled = path, "odd" }, "/admin;x=1/secret",
			"/x/..;/admin/secret", "/admin%5csecret", `/admin\secret`,
			"/admin%00/secret", "/admin%2fsecret", "/admin%252fsecret", "/%2561dmin/secret", "/x/..%2fadmin/secret",
			"/x/%2e%2e/admin/secret", "/admin./secret", "/admin%20/secret",
			"/admin%3fx/secret", "/admin%23/secret", "//x/admin/secret", "/;/admin/secret", "/admin/.", "/admin%c0%afsecret"),
		asking(nil)},
	// ED-06: the same for what is outside a negated matcher.
	{"spellings that pass a negated matcher", serving(at("one.test",
		&gate{match: &matcher{notPaths: []string{"/pub/*"}}})),
		variants(func(r *request, path string) { r.path, r.spelled = path, "odd" }, "/pub/..;/admin", "/pub/..%2fadmin",
			`/pub/..\admin`, "/pub/%2e%2e/admin"),
		asking(func(r *request) { r.path = "/pub/x" })},
	// ED-13
	{"tokens in other spellings of Authorization", serving(at("one.test", &gate{public: []string{"/x"}})),
		variants(func(r *request, kind string) { r.auth.kind = kind }, "odd tab", "odd spaces", "odd token", "odd bare",
			"odd basic user", "revoked", "twice"),
		asking(func(r *request) { r.auth.kind = "app basic" })},
	// ED-02
	{"questions of a proxy that are two at once", asked,
		[]*request{forwarding("both", "https", nil), forwarding("forwarded", "https",
			func(r *request) { r.forward.twice = true }), forwarding("original", "http", nil)},
		forwarding("original", "https", nil)},
	// ED-05
	{"WebSockets of other origins through a proxy", asked,
		[]*request{forwarding("forwarded", "wss", nil), forwarding("forwarded", "wss",
			func(r *request) { r.origin = "foreign" }),
			forwarding("original", "https", func(r *request) { r.kind, r.origin = "socket", "http" })},
		forwarding("forwarded", "wss", func(r *request) { r.origin = "same" })},
	// ED-02: the page that refuses a HEAD is whole in the answer to the proxy's GET; nginx makes 500 of a part.
	{"questions about HEAD", asked,
		[]*request{forwarding("original", "https",
			func(r *request) { r.method, r.kind, r.cookie = "HEAD", "frame", credential{kind: "none"} }),
			forwarding("forwarded", "https",
				func(r *request) { r.method, r.kind, r.cookie = "HEAD", "frame", credential{kind: "none"} })},
		forwarding("forwarded", "https", func(r *request) { r.method = "HEAD" })},
}

// asked is a configuration with forward_auth.
var asked = &config{trusted: true, sites: []*site{{port: "https", forward: &gate{}}}}

func serving(sites ...*site) *config { return &config{sites: sites} }

func at(host string, gates ...*gate) *site {
	s := &site{host: host, port: "https"}
	for _, g := range gates {
		s.body = append(s.body, item{gate: g})
	}
	s.body = append(s.body, item{app: 1})
	return s
}

// asking is a plain request to one.test, changed. Credentials without a person are alice's.
func asking(change func(*request)) *request {
	r := &request{port: "https", host: "one.test", method: "GET", path: "/x", kind: "curl",
		cookie: credential{kind: "none"}, auth: credential{kind: "none"}}
	if change != nil {
		change(r)
	}
	return r
}

func signedIn(r *request) { r.cookie.kind = "valid" }

func variants(change func(*request, string), words ...string) []*request {
	var all []*request
	for _, word := range words {
		all = append(all, asking(func(r *request) { change(r, word) }))
	}
	return all
}

// forwarding is a question of the trusted proxy about a request of a signed-in user.
func forwarding(kind, scheme string, change func(*request)) *request {
	return asking(func(r *request) {
		r.host, r.trusted, r.cookie.kind = verifyHost, true, "valid"
		r.forward = &forwarded{kind: kind, scheme: scheme, host: forwardHost}
		if change != nil {
			change(r)
		}
	})
}

// TestKnownDifferencesStayFixed sends what the property test once found.
func TestKnownDifferencesStayFixed(t *testing.T) {
	w := newWorld(t)
	for _, k := range known {
		t.Run(k.name, func(t *testing.T) {
			if err := w.load(k.config); err != nil {
				t.Fatal(err)
			}
			for _, r := range append([]*request{k.control}, k.attacks...) {
				for _, c := range []*credential{&r.cookie, &r.auth} {
					if c.kind != "none" && !strings.HasPrefix(c.kind, "app") {
						c.who = w.people[0]
					}
				}
				if r == k.control && model(k.config, r).pass != must {
					t.Errorf("the control does not have to pass\n%s", w.readable(r))
				}
				if why, _ := w.try(k.config, r); why != "" {
					t.Errorf("%s\n%s", why, w.readable(r))
				}
			}
		})
	}
}
