package test

import (
	"strings"
	"testing"
)

// matcherSites protect a part of an app by a matcher. NAME.test has the protected part as /admin.
var matcherSites = share(plot{
	options: "\t\trate_limit address 10000 5m",
	sites: site("prefix.test", "\ttruxe /admin/*\n\treverse_proxy UPSTREAM") +
		site("named.test", "\t@staff path /admin /admin/*\n\ttruxe @staff\n\treverse_proxy UPSTREAM") +
		site("negated.test",
			"\t@rest not path /open/* /group/* /cool/* /x* /caf* /50* /c*\n\ttruxe @rest\n\treverse_proxy UPSTREAM") +
		site("regexp.test", "\t@staff path_regexp ^/(?i:admin)(/|$)\n\ttruxe @staff\n\treverse_proxy UPSTREAM") +
		site("expression.test",
			"\t@staff expression `{path}.lowerAscii().startsWith(\"/admin\")`\n\ttruxe @staff\n\treverse_proxy UPSTREAM") +
		site("route.test", "\troute {\n\t\ttruxe /admin/*\n\t\treverse_proxy UPSTREAM\n\t}"),
})

// passesMatchers are spellings of /admin/secret for one server or another.
var passesMatchers = []string{
	"/admin/secret", "/admin;x=1/secret", "/x/..;/admin/secret", "/admin%5csecret", `/admin\secret`, "/admin%00/secret",
	"/%61dmin/secret", "//admin/secret", "/./admin/secret",
	"/ADMIN/secret", "/aDmin/secret", "/admin%2fsecret", "/admin%252fsecret", "/%2561dmin/secret", "/x/../admin/secret",
	"/x/%2e%2e/admin/secret", "/x/..%2fadmin/secret",
	"/%2fadmin/secret", "/%5cadmin/secret", "//host/admin/secret", "/admin./secret", "/admin%20/secret",
	"/;x/admin/secret", "/.;/admin/secret", "/admin/%c0%ae%c0%ae/secret",
	"/%c0%afadmin/secret", "/admin%c0%afsecret", "/%ef%bc%8fadmin/secret", "/%ef%bd%81dmin/secret",
	"/x/%ef%bc%8e%ef%bc%8e/admin/secret", "/admin#/secret", "/admin/secret%00.png",
	"/open/..;/admin/secret", "/open/%2e%2e/admin/secret", "/open/..%5cadmin/secret", "/admin%3b/secret",
	"/%41DMIN;a=b/secret", "/admin%09/secret",
}

// onlyAdmin are spellings of /admin.
var onlyAdmin = map[string]bool{"/admin%3bsecret": true, "/admin%3f/public/": true, "/admin%23/public/x": true}

// outsideMatchers are paths of real applications that are not below /admin (FIELD-CASES 37).
var outsideMatchers = []string{
	"/open/x", "/group%2Fproject/-/blob", "/group/api/v4/projects/a%2Fb/repository/files/x%2Ey", "/x/api/queues/%2F/name",
	"/x/job/a%20b/1", "/x/_matrix/client/rooms/!a:b.c/send/m.room.message/%24x",
	"/x/applications/argocd%2Fguestbook",
	"/cool/https%3A%2F%2Fcloud.example.com%2Fwopi%2Ffiles%2F1_x%3Faccess_token%3Dabc%26ttl%3D0/ws", "/50%25%20off",
	"/c%23",
	"/x/administrator/y", "/caf%C3%A9",
	"/x/a+b=c@d,e'(f)*!$&", "/x/file.txt.", "/x/v1.0/",
}

// ED-06 R2 a matcher is no gap between two readings of a path: no spelling of what it names reaches the app without a
// session, whatever kind the matcher is of. What is outside of it does, byte for byte, and without a session.
func TestNoSpellingPassesAMatcher(t *testing.T) {
	s := matcherSites.open(t)
	m := mount{}
	for _, host := range []string{"prefix.test", "named.test", "negated.test", "regexp.test", "expression.test",
		"route.test"} {
		targets := append([]string(nil), passesMatchers...)
		for _, c := range spellings(t) {
			if c.Anonymous == "nothing" && c.SignedIn == "" && c.Target != "/admin" && c.Target != "/ADMIN" &&
				!strings.Contains(c.Target, "\u0430") { // a Cyrillic letter makes another path (docs/explanation/paths.md)
				targets = append(targets, c.Target)
			}
		}
		for _, target := range targets {
			if below := host == "prefix.test" || host == "route.test"; below && onlyAdmin[target] {
				continue // /admin itself is not below /admin/
			}
			answer, seen := s.ask(host, m, spelling{Method: "GET", Target: target}, "")
			if strings.HasPrefix(target, "http://") && len(seen) == 0 && strings.Contains(answer, "Content-Length: 0") {
				continue // Caddy's empty 200 for a host that it does not serve
			}
			if len(seen) > 0 || strings.HasPrefix(answer, "HTTP/1.1 2") || strings.HasPrefix(answer, "HTTP/1.1 5") ||
				answer == "" {
				t.Errorf("%s: %s: the app sees %q: %.60q", host, target, seen, answer)
			}
		}
		for _, target := range outsideMatchers {
			if host == "negated.test" && strings.HasPrefix(target, "/group%2F") {
				continue // this one is inside
			}
			answer, seen := s.ask(host, m, spelling{Method: "GET", Target: target}, "")
			if len(seen) != 1 || seen[0] != target || !strings.HasPrefix(answer, "HTTP/1.1 200") {
				t.Errorf("%s: control %s: the app sees %q: %.60q", host, target, seen, answer)
			}
		}
		token := s.login(host, "pia", piaPassword).Access
		for _, target := range []string{"/admin/secret", "/admin/a%2Fb/", "/admin/50%25%20off", "/admin/%24x;y"} {
			answer, seen := s.ask(host, m, spelling{Method: "GET", Target: target}, token)
			if len(seen) != 1 || seen[0] != target || !strings.HasPrefix(answer, "HTTP/1.1 200") {
				t.Errorf("%s: signed in, %s: the app sees %q: %.60q", host, target, seen, answer)
			}
		}
	}
}

// catchAllSites have sites whose matcher is about the whole path, or about the host.
var catchAllSites = share(plot{
	options: "\t\trate_limit address 10000 5m",
	sites: site("all.test", "\ttruxe /*\n\treverse_proxy UPSTREAM") +
		site("root.test", "\t@root path /\n\ttruxe @root\n\treverse_proxy UPSTREAM") +
		site("regexp.test", "\t@all path_regexp ^/\n\ttruxe @all\n\treverse_proxy UPSTREAM") +
		site("*.many.test", "\t@admin host admin.many.test\n\ttruxe @admin\n\treverse_proxy UPSTREAM") +
		site("*.said.test", "\t@admin expression `{host} == \"admin.said.test\"`\n\ttruxe @admin\n\treverse_proxy UPSTREAM"),
})

// restSites are a site without a host name, whose matcher is about hosts, beside one that has the certificate.
var restSites = share(plot{
	options: "\t\trate_limit address 10000 5m",
	sites: site("all.test", "\ttruxe\n\treverse_proxy UPSTREAM") +
		"https:// {\n\t@admin {\n\t\thost admin.rest.test\n\t\tpath /admin/*\n\t}\n\ttruxe @admin\n\treverse_proxy UPSTREAM\n}\n",
})

// ED-06 R2 a request line without a path asks for "/" (RFC 9112 3.2.2), so it does not pass a matcher that covers "/".
func TestNoRequestWithoutAPathPassesAMatcher(t *testing.T) {
	s := catchAllSites.open(t)
	for _, host := range []string{"all.test", "root.test", "regexp.test"} {
		for _, target := range []string{"http://" + host, "http://" + host + "?x=1", "https://" + host,
			"http://" + host + "/"} {
			answer, seen := s.ask(host, mount{}, spelling{Method: "GET", Target: target}, "")
			if len(seen) > 0 || !strings.HasPrefix(answer, "HTTP/1.1 401") {
				t.Errorf("%s: %s: the app sees %q: %.60q", host, target, seen, answer)
			}
		}
	}
	if answer, seen := s.ask("root.test", mount{}, spelling{Method: "GET", Target: "/x"}, ""); len(seen) != 1 ||
		!strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Errorf("control: the app sees %q: %.60q", seen, answer)
	}
}

// ED-06 R2 no spelling of a host passes a matcher about hosts: letter case, the dot of a full name (RFC 1034 3.1), a
// port; nor one together with a spelling of the path.
func TestNoSpellingOfAHostPassesAMatcher(t *testing.T) {
	s := catchAllSites.open(t)
	ask := func(host, target string) (string, int) {
		s.up.Forget()
		answer := s.rawTo("all.test", "GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\nAccept: */*\r\nConnection: close\r\n\r\n")
		return answer, len(s.up.Seen())
	}
	for _, domain := range []string{"many.test", "said.test", "rest.test"} {
		if domain == "rest.test" {
			s = restSites.open(t)
		}
		for _, name := range []string{"admin.", "ADMIN.", "aDmin."} {
			for _, end := range []string{"", ".", ":443", ".:443"} {
				for _, target := range []string{"/admin/x", "/admin;a/x", "/%61dmin/x"} {
					host := name + domain + end
					answer, seen := ask(host, target)
					if seen > 0 {
						t.Errorf("Host %s, %s: the app has been asked: %.60q", host, target, answer)
					}
					if domain == "rest.test" && !strings.HasPrefix(answer, "HTTP/1.1 401") {
						t.Errorf("Host %s, %s: %.60q", host, target, answer)
					}
				}
			}
		}
		for _, host := range []string{"open." + domain, "OPEN." + domain + ":443"} {
			if answer, seen := ask(host, "/admin/x"); seen != 1 || !strings.HasPrefix(answer, "HTTP/1.1 200") {
				t.Errorf("control: Host %s: asked %d times: %.60q", host, seen, answer)
			}
		}
	}
}
