package test

import (
	"net/http"
	"strings"
	"testing"
)

// CONTRACT 7 and 10, AZ-11: rules in force and explanations at the API, for who may read policies; what the command
// line says is the same, member for member. Bad questions are refused (AP-03), and who may not ask is in the log
// (AU-01).
func TestPoliciesOverTheAPI(t *testing.T) {
	dir := policyFolder(t, "orders.yaml", ordersPolicy, "auditors.yaml",
		"roles:\n  auditor: { permissions: [\"truxe:policies:read\"] }\n")
	s := tell(t, plot{options: "\t\tpolicies " + dir, sites: site("orders.test",
		"\ttruxe {\n\t\tpublic /assets/*\n\t}\n\treverse_proxy UPSTREAM") + site("other.test",
		"\ttruxe\n\treverse_proxy UPSTREAM")})
	s.user("vic", "a quiet viewer of orders", "viewer")
	s.user("ada", "an auditor of all orders", "auditor")
	ada, vic := s.withBearer("orders.test", s.login("orders.test", "ada",
		"an auditor of all orders").Access), s.withBearer("orders.test",
		s.login("orders.test", "vic", "a quiet viewer of orders").Access)

	ask := map[string]any{"user": "vic", "method": "DELETE", "url": "https://orders.test/orders/7"}
	for _, c := range []struct{ method, call string }{{"GET", "admin/policies"}, {"POST", "admin/policies/explain"}} {
		s.bare("orders.test").api(c.method, c.call, nil).problem(http.StatusUnauthorized, "login_required")
		p := vic.api(c.method, c.call, nil).problem(http.StatusForbidden, "permission_required")
		if line := s.event(p.Reference); !strings.Contains(line,
			`"authz_fail"`) || !strings.Contains(line, "truxe:policies:read") {
			t.Errorf("%s is not in the log under %s: %s", c.call, p.Reference, line)
		}
	}

	shown := ada.api("GET", "admin/policies", nil).want(http.StatusOK).body
	if cli := s.cli("policy", "show", "-o", "json"); strings.TrimSpace(cli) != strings.TrimSpace(shown) {
		t.Errorf("the API says\n%s\nthe command line\n%s", shown, cli)
	}
	var listing struct {
		Items []struct {
			ID, Effect, Mode, Place   string
			Hosts, Methods, Paths, To []string
			Networks, Require         []string
		}
		NextCursor *string `json:"next_cursor"`
		State      struct{ Dir, Digest, Since, Problem string }
	}
	ada.api("GET", "admin/policies", nil).json(&listing)
	if len(listing.Items) != 6 || listing.NextCursor == nil || listing.State.Dir != dir ||
		len(listing.State.Digest) != 64 || listing.State.Since == "" || listing.State.Problem != "" {
		t.Errorf("%+v", listing)
	}
	for _, r := range listing.Items {
		if r.ID == "" || r.Effect == "" || r.Mode != "enforce" || r.Place == "" || r.Hosts == nil || r.Methods == nil ||
			r.Paths == nil || r.To == nil || r.Networks == nil || r.Require == nil {
			t.Errorf("%+v", r)
		}
	}
	if here := ada.api("GET", "admin/policies?site=other.test", nil).want(http.StatusOK).body; strings.Contains(here,
		"orders-read") || strings.Contains(here, "caddyfile:public#1") {
		t.Errorf("other.test: %s", here)
	}
	ada.api("GET", "admin/policies?site=nobody.test", nil).problem(http.StatusNotFound, "not_found")
	for _, query := range []string{"?site=a&site=b", "?host=orders.test", "?%zz"} {
		ada.api("GET", "admin/policies"+query, nil).problem(http.StatusBadRequest, "invalid_request")
	}

	explained := ada.api("POST", "admin/policies/explain", ask).want(http.StatusOK).body
	out, _, code := s.g.CLI("policy", "explain", "--user", "vic", "--method", "DELETE", "--url",
		"https://orders.test/orders/7", "-o", "json")
	if code != 4 || out != explained {
		t.Errorf("exit %d; the API says\n%s\nthe command line\n%s", code, explained, out)
	}
	for _, want := range []string{`"decision":"deny"`, `"code":"permission_required"`, `"roles":["viewer"]`,
		`"rule":"orders-write"`, `"place":"` + dir, `"remedy":"With permission orders:write`} {
		if !strings.Contains(explained, want) {
			t.Errorf("%s is not in %s", want, explained)
		}
	}
	for body, want := range map[[2]string]string{
		{"", "https://orders.test/healthz"}: "allow", {"", "https://orders.test/orders/7"}: "login",
		{"vic", "https://orders.test/orders/7"}: "allow", {"vic", "https://nobody.test/"}: "deny",
		{"vic", "https://orders.test/orders/..%2fhealthz"}: "deny", {"", "https://orders.test/assets/x"}: "allow",
	} {
		if a := ada.api("POST", "admin/policies/explain", map[string]string{"user": body[0],
			"url": body[1]}).want(http.StatusOK); !strings.Contains(a.body, `"decision":"`+want+`"`) {
			t.Errorf("%v: want %s: %s", body, want, a.body)
		}
	}
	ada.api("POST", "admin/policies/explain", map[string]string{"user": "nobody",
		"url": "https://orders.test/"}).problem(http.StatusNotFound, "not_found")
	for name, body := range map[string]map[string]any{"no url": {"user": "vic"}, "a path": {"url": "/orders"},
		"another scheme": {"url": "ftp://orders.test/"}, "userinfo": {"url": "https://a@orders.test/"},
		"a bad host": {"url": "https://a b/"}, "two lines": {"url": "https://orders.test/x\r\ny"},
		"a bad method":      {"url": "https://orders.test/", "method": "GE T"},
		"a bad address":     {"url": "https://orders.test/", "ip": "office"},
		"an unknown member": {"url": "https://orders.test/", "as": "root"},
		"a long url":        {"url": "https://orders.test/" + strings.Repeat("a", 8<<10)},
		"a long method":     {"url": "https://orders.test/", "method": strings.Repeat("A", 33)},
		"another type":      {"url": 7}} {
		if a := ada.api("POST", "admin/policies/explain", body); a.status != http.StatusBadRequest ||
			!strings.Contains(a.body, `"invalid_request"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := ada.api("DELETE", "admin/policies", nil); a.status != http.StatusMethodNotAllowed ||
		a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("%d %q", a.status, a.header.Get("Allow"))
	}
	s.cli("roles", "revoke", "ada", "auditor")
	ada.api("GET", "admin/policies", nil).problem(http.StatusForbidden, "permission_required")
}
