package test

import (
	"strings"
	"testing"
)

// pathSites stand behind each other's ways of changing a path: nothing, `handle_path`, `uri strip_prefix`, `rewrite`.
var pathSites = share(plot{
	options: "\t\trate_limit address 10000 5m",
	sites: site("plain.test", "\ttruxe {\n\t\tpublic /public/*\n\t}\n\treverse_proxy UPSTREAM") +
		site("handle.test", "\thandle_path /app/* {\n\t\ttruxe {\n\t\t\tpublic /public/*\n\t\t}\n\t\treverse_proxy UPSTREAM\n\t}\n\thandle {\n\t\trespond 404\n\t}") +
		site("strip.test", "\turi strip_prefix /app\n\ttruxe {\n\t\tpublic /public/*\n\t}\n\treverse_proxy UPSTREAM") +
		site("rewrite.test", "\trewrite * /inner{uri}\n\ttruxe {\n\t\tpublic /inner/public/*\n\t}\n\treverse_proxy UPSTREAM"),
})

// AZ-02 AZ-03 AZ-05 every way of writing a path, sent raw and without a session: no protected path reaches the app, whatever
// changed the path before the gate. What is public does, with the same bytes between the cases.
func TestNoSpellingOfAPathGetsPastTheGate(t *testing.T) {
	var matrix struct {
		Cases []struct{ ID, Method, Target, Anonymous string }
	}
	ownMatrix(t, "../../internal/policy/testdata/normalization_matrix.json", &matrix)
	s := pathSites.open(t)
	for _, c := range []struct{ host, prefix, seen string }{
		{"plain.test", "", "/public/x"}, {"handle.test", "/app", "/public/x"}, {"strip.test", "/app", "/public/x"}, {"rewrite.test", "", "/inner/public/x"},
	} {
		send := func(method, target string) string {
			return s.rawTo(c.host, method+" "+target+" HTTP/1.1\r\nHost: "+c.host+"\r\nAccept: */*\r\nConnection: close\r\n\r\n")
		}
		ran := 0
		for _, m := range matrix.Cases {
			if m.Anonymous != "nothing" {
				continue
			}
			target := c.prefix + m.Target
			if strings.HasPrefix(m.Target, "http://") {
				target = m.Target
			}
			ran++
			s.up.Forget()
			answer := send(m.Method, target)
			if got := s.up.Seen(); len(got) != 0 {
				t.Errorf("%s %s: the app sees %s", c.host, m.ID, got[0].Target)
			}
			if unknown := strings.HasPrefix(m.Target, "http://"); unknown && strings.Contains(answer, "Content-Length: 0") {
				continue // Caddy's empty 200 for a host that it does not serve
			}
			if strings.HasPrefix(answer, "HTTP/1.1 2") || strings.HasPrefix(answer, "HTTP/1.1 5") || answer == "" {
				t.Errorf("%s %s: %.80q", c.host, m.ID, answer)
			}
		}
		s.up.Forget()
		if answer := send("GET", c.prefix+"/public/x"); !strings.HasPrefix(answer, "HTTP/1.1 200") || len(s.up.Seen()) != 1 || s.up.Last().Target != c.seen {
			t.Errorf("%s: what is public is not served: %.80q", c.host, answer)
		}
		if ran < 30 {
			t.Errorf("%s: %d cases", c.host, ran)
		}
	}
}
