package test

import (
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// manyGates has every way of putting several directives before one app, with names of headers that only one of them
// sets. Each line of a block is for one directive.
var manyGates = share(plot{
	global: "\tservers {\n\t\ttrusted_proxies static 192.0.2.0/24\n\t}\n",
	sites: site("two.test", `	truxe /a/*
	truxe /b/* {
		public /b/public /b/public/*
		headers preset grafana
	}
	reverse_proxy UPSTREAM`) +
		site("route.test", `	route {
		truxe {
			public /public/*
		}
		truxe {
			public /public/*
			headers preset grafana
		}
		reverse_proxy UPSTREAM
	}`) +
		site("handle.test", `	handle /b/* {
		truxe {
			public /b/public/*
			header X-Staff-Name {http.auth.user.display_name}
		}
		reverse_proxy UPSTREAM
	}
	handle {
		truxe {
			public /public/*
		}
		reverse_proxy UPSTREAM
	}`) +
		site("nested.test", `	truxe {
		public /public/*
	}
	handle /b/* {
		truxe {
			header X-Late-Name {http.auth.user.display_name}
		}
		reverse_proxy UPSTREAM
	}
	handle {
		reverse_proxy UPSTREAM
	}`) +
		site("verify.test", "\ttruxe forward_auth {\n\t\thosts elsewhere.test\n\t\theaders preset vouch\n\t}") +
		site("none.test", "\ttruxe {\n\t\tpublic /public/*\n\t\theaders none\n\t}\n\treverse_proxy UPSTREAM"),
})

// identityOfAll are names that some directive of manyGates sets, in the forms that CGI reads alike.
var identityOfAll = []string{"X-WEBAUTH-USER", "X-WEBAUTH-EMAIL", "X-WEBAUTH-NAME", "X-WEBAUTH-GROUPS", "X-Staff-Name",
	"X-Late-Name", "X-Vouch-User",
	"Remote-User", "Remote-Name", "Remote-Groups", "X-Truxe-User-Id", "X-Truxe-Anything"}

// forgedBy writes every name in three spellings, in Connection and as a trailer.
func forgedBy() (headers string, trailers string) {
	var h, n, tr strings.Builder
	n.WriteString("Connection: close")
	for _, name := range identityOfAll {
		h.WriteString(name + ": attacker\r\n" + strings.ToLower(name) + ": attacker\r\n" + strings.ReplaceAll(name, "-",
			"+") + ": attacker\r\n")
		n.WriteString(", " + name)
		tr.WriteString(name + ": attacker\r\n")
	}
	return h.String() + n.String() + "\r\n", tr.String()
}

// forged sends a request with every name forged, and gives what the app received.
func (s *story) forged(host, path, credential string) (answer string, seen []rig.Seen) {
	s.t.Helper()
	headers, trailers := forgedBy()
	s.up.Forget()
	answer = s.rawTo(host, "POST "+path+" HTTP/1.1\r\nHost: "+host+
		"\r\nTransfer-Encoding: chunked\r\nTrailer: X-Staff-Name\r\n"+credential+headers+"\r\n1\r\na\r\n0\r\n"+trailers+
		"\r\n")
	return answer, s.up.Seen()
}

// ED-01 HD-01 HD-02 with several directives in one configuration, the names of each are removed from every request that
// any of them sees: between matchers, in route and handle blocks, from other sites and from forward_auth; anonymous on
// public paths, and of users who lack the value.
func TestForgedHeadersOfAnotherDirectiveNeverReachTheApp(t *testing.T) {
	s := manyGates.open(t)
	if out, errs, code := s.g.CLIWithInput("nine paper boats at dusk", "users", "add", "nox", "--email", "nox@example.com",
		"--role", "member", "--password-stdin"); code != 0 {
		t.Fatal(out, errs)
	}
	for _, c := range []struct {
		host, path string
		public     bool
		sets       map[string]string // what the directives on the way set for nox, who has no display name
	}{
		{"two.test", "/neither", true, nil},
		{"two.test", "/b/public", true, map[string]string{"X-WEBAUTH-USER": "nox", "X-WEBAUTH-GROUPS": "member"}},
		{"two.test", "/b/x", false, map[string]string{"X-WEBAUTH-USER": "nox", "Remote-User": ""}},
		{"two.test", "/a/x", false, map[string]string{"Remote-User": "nox", "X-WEBAUTH-USER": ""}},
		{"route.test", "/public/x", true, map[string]string{"Remote-User": "nox", "X-WEBAUTH-USER": "nox"}},
		{"route.test", "/x", false, map[string]string{"Remote-User": "nox", "Remote-Groups": "member",
			"X-WEBAUTH-USER": "nox"}},
		{"handle.test", "/public/x", true, map[string]string{"Remote-User": "nox"}},
		{"handle.test", "/b/public/x", true, map[string]string{"Remote-User": "nox"}},
		{"handle.test", "/b/x", false, map[string]string{"Remote-User": "nox"}},
		{"nested.test", "/public/x", true, map[string]string{"Remote-User": "nox"}},
		{"nested.test", "/b/x", false, map[string]string{"Remote-User": "nox"}},
		{"none.test", "/public/x", true, nil},
		{"none.test", "/x", false, nil},
	} {
		token := s.login(c.host, "nox", "nine paper boats at dusk").Access
		for who, credential := range map[string]string{"anonymous": "", "nox": "Authorization: Bearer " + token + "\r\n"} {
			answer, seen := s.forged(c.host, c.path, credential)
			if who == "anonymous" && !c.public {
				if len(seen) != 0 {
					t.Errorf("%s%s: an anonymous request reached the app", c.host, c.path)
				}
				continue
			}
			if len(seen) != 1 || !strings.HasPrefix(answer, "HTTP/1.1 200") {
				t.Errorf("%s%s as %s: %d requests reached the app: %.120q", c.host, c.path, who, len(seen), answer)
				continue
			}
			var forged []string
			for _, f := range append(append([]rig.Field{}, seen[0].Header...), seen[0].Trailer...) {
				if strings.Contains(f.Value, "attacker") {
					forged = append(forged, f.Name)
				}
			}
			if len(forged) > 0 {
				t.Errorf("%s%s as %s: the app sees forged %q", c.host, c.path, who, forged)
			}
			for _, name := range identityOfAll {
				if got := seen[0].Get(name); who == "anonymous" && len(got) > 0 {
					t.Errorf("%s%s: anonymous, yet the app sees %s: %q", c.host, c.path, name, got)
				}
			}
			for name, want := range c.sets { // accept control: what each directive on the way sets is there, once
				if got := strings.Join(seen[0].Get(name), "|"); who == "nox" && got != want {
					t.Errorf("%s%s: %s is %q, want %q", c.host, c.path, name, got, want)
				}
			}
		}
	}
}
