package test

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// mount is one way in which a Caddyfile puts `truxe` beside what changes a path. Its sites answer at name.test and
// name-strict.test.
type mount struct {
	name   string
	body   string // of the site; GATE stands for the directive with its options
	prefix string // what visitors write before a path
	judged string // what precedes it where `truxe` is
	seen   string // what precedes it at the app
}

// pagesBeside is what a site needs whose gate is inside of a block: without it no request reaches the gateway's pages.
const pagesBeside = "\thandle /.truxe/* {\n\t\ttruxe portal\n\t}\n"

var mounts = []mount{
	{"plain", "\tGATE\n\treverse_proxy UPSTREAM", "", "", ""},
	{"handle",
		pagesBeside + "\thandle /app/* {\n\t\tGATE\n\t\treverse_proxy UPSTREAM\n\t}\n\thandle {\n\t\trespond 404\n\t}",
		"/app",
		"/app", "/app"},
	{"handle-path", pagesBeside +
		"\thandle_path /app/* {\n\t\tGATE\n\t\treverse_proxy UPSTREAM\n\t}\n\thandle {\n\t\trespond 404\n\t}", "/app", "",
		""},
	{"before-handle-path",
		"\tGATE\n\thandle_path /app/* {\n\t\treverse_proxy UPSTREAM\n\t}\n\thandle {\n\t\trespond 404\n\t}", "/app", "/app",
		""},
	{"route", pagesBeside + "\troute /app/* {\n\t\tGATE\n\t\treverse_proxy UPSTREAM\n\t}\n\trespond 404", "/app", "/app",
		"/app"},
	{"strip", "\turi strip_prefix /app\n\tGATE\n\treverse_proxy UPSTREAM", "/app", "", ""},
	{"strip-after", "\troute {\n\t\tGATE\n\t\turi strip_prefix /app\n\t\treverse_proxy UPSTREAM\n\t}", "/app", "/app", ""},
	{"rewrite", "\trewrite * /inner{uri}\n\tGATE\n\treverse_proxy UPSTREAM", "", "/inner", "/inner"},
	{"rewrite-after", "\troute {\n\t\tGATE\n\t\trewrite * /inner{uri}\n\t\treverse_proxy UPSTREAM\n\t}", "", "", "/inner"},
	{"proxy-rewrite", "\tGATE\n\treverse_proxy UPSTREAM {\n\t\trewrite /inner{uri}\n\t}", "", "", "/inner"},
}

// mounted writes the sites of all mounts; options gives the block of `truxe`, "" for none.
func mounted(options func(m mount) string) string {
	var sites strings.Builder
	for _, m := range mounts {
		gate := "truxe"
		if o := options(m); o != "" {
			gate += " {\n\t" + o + "\n\t}"
		}
		sites.WriteString(site(m.name+".test, "+m.name+"-strict.test", strings.ReplaceAll(m.body, "GATE", gate)))
	}
	return sites.String()
}

// pathSites say what is public in the Caddyfile, pathPolicies in policy files: at name.test every signed-in user may go
// everywhere, but members are denied /admin; at name-strict.test a permission opens /admin, and a role GET below /docs.
var (
	pathSites = share(plot{options: "\t\trate_limit address 10000 5m",
		sites: mounted(func(m mount) string { return "public " + m.judged + "/public/*" })})
	pathPolicies = share(plot{options: "\t\trate_limit address 10000 5m\n\t\tpolicies POLICIES",
		policies: []string{"paths.yaml", pathRules()},
		sites:    mounted(func(mount) string { return "" })})
)

func pathRules() string {
	var b strings.Builder
	b.WriteString("roles:\n  member: {}\n  reader: {}\n  keeper: { permissions: [\"vault:open\"] }\nrules:\n")
	for _, m := range mounts {
		b.WriteString(strings.NewReplacer("NAME", m.name, "AT",
			m.judged).Replace(`  - { id: NAME-public, effect: public, hosts: [NAME.test, NAME-strict.test], paths: ["AT/public/**"] }
  - { id: NAME-all, effect: allow, hosts: [NAME.test], paths: ["AT/**"], to: anyone_signed_in }
  - { id: NAME-admin, effect: deny, hosts: [NAME.test], paths: ["AT/admin/**"], to: { role: member } }
  - { id: NAME-vault, effect: allow, hosts: [NAME-strict.test], paths: ["AT/admin/**"], to: { permission: "vault:open" } }
  - { id: NAME-docs, effect: allow, hosts: [NAME-strict.test], methods: [GET], paths: ["AT/docs/*"], to: { role: reader } }
`))
	}
	return b.String()
}

// spelling is one way of asking for /admin/secret, or for /docs/x with some method. Expectations are those of the
// corpus.
type spelling struct {
	ID, Method, Target, Anonymous, Member string
	SignedIn                              string `json:"signed_in"`
}

// spellings are the corpus and what it lacks: letter case, letters that fold into others, backslashes, twofold
// encoding.
func spellings(t *testing.T) []spelling {
	t.Helper()
	var matrix struct{ Cases []spelling }
	ownMatrix(t, "../../internal/policy/testdata/normalization_matrix.json", &matrix)
	if raw, ok := corpus(t, "path/normalization_matrix.json"); ok {
		matrix.Cases = nil
		readJSON(t, raw, &matrix)
	}
	for _, target := range []string{"/ADMIN/secret", "/aDMIn/secret", "/%41dmin/secret", "/admin", "/admin/", "/ADMIN",
		"/admin%2fsecret", "/admin%5csecret", `/admin\secret`, "/%5cadmin/secret", "/%2fadmin/secret",
		"/%2561dmin/secret", "/%61%64%6d%69%6e/secret", "/admin%252fsecret", "/admin./secret", "/admin%20/secret",
		"/admin;/secret", "/;x/admin/secret", "/.;/admin/secret", "/public/..;/admin/secret", "/public;/../admin/secret",
		"/public/..%5cadmin/secret", "/public/.%2e/admin/secret", "/public/%252e%252e/admin/secret",
		"/public//../admin/secret", "/public/x/../../admin/secret", "/admin/secret?", "/admin/secret#/public/",
		"/admin%3f/public/",
		"/admin%23/public/x", "/admin/../admin/secret", "/./././admin/secret", "/x/..//admin/secret", "/admin/%2e/secret"} {
		matrix.Cases = append(matrix.Cases, spelling{ID: target, Method: "GET", Target: target, Anonymous: "nothing",
			Member: "nothing"})
	}
	return matrix.Cases
}

// ask sends a spelling raw, with an access token or "", and gives the answer with what the app received.
func (s *story) ask(host string, m mount, c spelling, token string) (answer string, seen []string) {
	s.t.Helper()
	target := m.prefix + c.Target
	if strings.HasPrefix(c.Target, "http://") {
		target = c.Target
	}
	if token != "" {
		token = "Authorization: Bearer " + token + "\r\n"
	}
	s.up.Forget()
	answer = s.rawTo(host, c.Method+" "+target+" HTTP/1.1\r\nHost: "+host+"\r\nAccept: */*\r\n"+token+
		"Connection: close\r\n\r\n")
	for _, r := range s.up.Seen() {
		seen = append(seen, r.Target)
	}
	return answer, seen
}

// AZ-02 AZ-03 AZ-05 every way of writing a path, sent raw and without a session: no protected path reaches the app,
// whatever changed the path before the gate or changes it afterwards, and whether Caddyfile or policy files say what is
// public. What is public does, with the same bytes between the cases.
func TestNoSpellingOfAPathGetsPastTheGate(t *testing.T) {
	for from, shared := range map[string]*shared{"Caddyfile": pathSites, "policies": pathPolicies} {
		s := shared.open(t)
		for _, m := range mounts {
			host, ran := m.name+".test", 0
			for _, c := range spellings(t) {
				if c.Anonymous != "nothing" {
					continue
				}
				ran++
				answer, seen := s.ask(host, m, c, "")
				if len(seen) != 0 {
					t.Errorf("%s, %s, %s: the app sees %q", from, host, c.ID, seen)
				}
				if strings.HasPrefix(c.Target, "http://") && strings.Contains(answer, "Content-Length: 0") {
					continue // Caddy's empty 200 for a host that it does not serve
				}
				if strings.HasPrefix(answer, "HTTP/1.1 2") || strings.HasPrefix(answer, "HTTP/1.1 5") || answer == "" {
					t.Errorf("%s, %s, %s: %.80q", from, host, c.ID, answer)
				}
			}
			s.control(host, m, "/public/x", "")
			if ran < 60 {
				t.Errorf("%s: %d cases", host, ran)
			}
		}
	}
}

// AZ-02 AZ-03 AZ-06 a signed-in person of low rights, against a rule that denies and one that wants a permission: no
// spelling brings the app a path which they may not have. Those who may go in do.
func TestNoSpellingOfAPathGivesASignedInPersonMore(t *testing.T) {
	s := pathPolicies.open(t)
	s.user("kim", "a keeper of quiet vaults", "keeper")
	s.user("rea", "a reader of many manuals", "reader")
	member, keeper, reader := s.login("plain.test", "pia", piaPassword).Access, s.login("plain.test", "kim",
		"a keeper of quiet vaults").Access, s.login("plain.test", "rea", "a reader of many manuals").Access
	for _, m := range mounts {
		for _, c := range spellings(t) {
			if c.SignedIn != "" {
				answer, seen := s.ask(m.name+"-strict.test", m, c, reader)
				if ok := strings.HasPrefix(answer, "HTTP/1.1 200") && len(seen) == 1; ok != (c.SignedIn == "allow") ||
					!ok && len(seen) > 0 {
					t.Errorf("%s, %s: want %s, the app sees %q: %.80q", m.name, c.ID, c.SignedIn, seen, answer)
				}
				continue
			}
			for _, host := range []string{m.name + ".test", m.name + "-strict.test"} {
				answer, seen := s.ask(host, m, c, member)
				for _, target := range seen {
					if c.Member == "nothing" || strings.Contains(host, "strict") || isAdmin(m, target) {
						t.Errorf("%s, %s: the app sees %q", host, c.ID, target)
					}
				}
				if strings.HasPrefix(answer, "HTTP/1.1 5") || answer == "" {
					t.Errorf("%s, %s: %.80q", host, c.ID, answer)
				}
			}
		}
		s.control(m.name+".test", m, "/x", member)
		s.control(m.name+".test", m, "/administrator", member)
		s.control(m.name+".test", m, "/admin/secret", keeper)
		s.control(m.name+"-strict.test", m, "/admin/secret", keeper)
	}
}

// isAdmin reports whether a target is below /admin of the app, decoded once and cleaned, in any case.
func isAdmin(m mount, target string) bool {
	target, _, _ = strings.Cut(target, "?")
	decoded, err := url.PathUnescape(target)
	if err != nil {
		return true
	}
	inside := strings.TrimPrefix(path.Clean(strings.ToLower(decoded)), m.seen)
	return inside == "/admin" || strings.HasPrefix(inside, "/admin/")
}

// control is what must get through, or denying everything would pass.
func (s *story) control(host string, m mount, path, token string) {
	s.t.Helper()
	answer, seen := s.ask(host, m, spelling{Method: "GET", Target: path}, token)
	if !strings.HasPrefix(answer, "HTTP/1.1 200") || len(seen) != 1 || seen[0] != m.seen+path {
		s.t.Errorf("%s: control %s: the app sees %q: %.80q", host, path, seen, answer)
	}
}
