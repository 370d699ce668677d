package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// AZ-08 R4: a role that is given or taken on one node counts on the other within a second, for the cookie and for the
// access token that users have already; no user signs in again, and a token of before is good for who its person is
// now.
func TestRoleChangeCountsOnEveryNodeWithinASecond(t *testing.T) {
	n := twoNodes(t)
	staffOnly := site("app.test", "\ttruxe {\n\t\tallow role staff\n\t\tassertion on\n\t}\n\treverse_proxy UPSTREAM")
	for _, s := range []*story{n.one, n.two} {
		p := plot{options: "\t\tstorage postgres {env.TRUXE_DATABASE}\n\t\tredis {env.TRUXE_REDIS}\n\t\tencryption_key {env.TRUXE_ENCRYPTION_KEY}" +
			"\n\t\tjwt {\n\t\t\tissuer https://app.test\n\t\t\tprivate_key {env.JWT_PRIVATE_KEY_BASE64}\n\t\t}",
			sites: staffOnly}
		if err := s.g.Reload(s.caddyfile(p)); err != nil {
			t.Fatal(err)
		}
	}
	pia := n.one.browser("app.test")
	pia.signIn("pia", piaPassword)
	there := pia.on(n.two)
	token := n.one.login("app.test", "pia", piaPassword)
	visitors := map[string]*visitor{"cookie here": pia, "cookie there": there,
		"token here": n.one.withBearer("app.test", token.Access), "token there": n.two.withBearer("app.test", token.Access)}
	wants := func(what string, status int) {
		t.Helper()
		began := time.Now()
		for who, v := range visitors {
			rig.WaitFor(t, max(time.Second-time.Since(began), 100*time.Millisecond), what+": "+who,
				func() bool { return v.get("/x", program).status == status })
		}
		t.Logf("%s: counted everywhere after %v", what, time.Since(began).Round(time.Millisecond))
	}
	wants("before", http.StatusForbidden)
	for range 2 {
		n.one.cli("roles", "grant", "pia", "staff")
		wants("granted", http.StatusOK)
		for who, v := range visitors {
			v.get("/x", program)
			seen := v.s.up.Last()
			claims, _ := v.s.believe(seen.Get(assertionName)[0], "app.test") // ports differ here, so the issuer is not compared
			if groups := seen.Get("Remote-Groups"); len(groups) != 1 || groups[0] != "member,staff" ||
				fmt.Sprint(claims["roles"]) != "[member staff]" {
				t.Errorf("%s: the app is told %v and %v", who, groups, claims["roles"])
			}
		}
		n.two.cli("roles", "revoke", "pia", "staff")
		wants("revoked", http.StatusForbidden)
	}
	n.one.g.Restart() // what it remembered is gone; the token still says what it was signed with
	rig.WaitFor(t, 5*time.Second, "the node is back",
		func() bool { return visitors["token here"].get("/x", program).status != http.StatusServiceUnavailable })
	wants("after a restart", http.StatusForbidden)
	if out := n.one.cli("audit", "list", "--event", "privilege_permissions_changed", "-n", "9", "-o",
		"jsonl"); strings.Count(out, `"added":"staff"`) != 2 || strings.Count(out, `"removed":"staff"`) != 2 {
		t.Error(out)
	}
}

// Roles are listed, shown, granted and revoked on a running and on a stopped gateway, for terminals and for pipes.
func TestRolesOnTheCommandLine(t *testing.T) {
	s := tell(t, plot{sites: site("app.test", "\ttruxe {\n\t\tallow role staff\n\t}\n\treverse_proxy UPSTREAM")})
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	pia.get("/x", program).want(http.StatusForbidden)
	for _, stopped := range []bool{false, true} {
		if stopped {
			s.g.Stop()
		}
		s.expect(0, []string{"pia has auditor, member, staff"}, "roles", "grant", "pia", "staff", "auditor")
		s.expect(0, []string{"pia has auditor, member, staff"}, "roles", "grant", "pia", "staff")
		if !stopped {
			pia.get("/x", program).want(http.StatusOK)
		}
		list := s.cli("roles", "list")
		for _, line := range []string{"admin\t*\t\t1\tbuilt in\n", "auditor\t\t\t1\t\n", "member\t\t\t1\t\n",
			"staff\t\t\t1\t\n"} {
			if !strings.Contains(list, line) {
				t.Errorf("%q is not in %q", line, list)
			}
		}
		var rows struct{ Items []map[string]any }
		if err := json.Unmarshal([]byte(s.cli("roles", "list", "-o", "json")), &rows); err != nil || len(rows.Items) != 4 ||
			fmt.Sprint(rows.Items[0]["permissions"]) != "[*]" {
			t.Errorf("%v %v", rows, err)
		}
		if got := s.cli("roles", "list", "-q"); got != "admin\nauditor\nmember\nstaff\n" {
			t.Errorf("-q: %q", got)
		}
		s.expect(0, []string{"users:", "- pia"}, "roles", "show", "staff", "-o", "yaml")
		s.expect(1, []string{`did you mean "staff"?`}, "roles", "show", "stff")
		s.expect(1, []string{"last administrator"}, "roles", "revoke", "root", "admin")
		s.expect(1, []string{"not found"}, "roles", "grant", "nobody", "staff")
		s.expect(1, []string{"1 to 64 characters"}, "roles", "grant", "pia", "a b")
		s.expect(2, nil, "roles", "grant", "pia")
		s.expect(2, []string{`"grant"`}, "roles", "grnat", "pia", "staff")
		out := s.cli("roles", "revoke", "pia", "auditor", "staff", "-o", "json")
		if !strings.Contains(out, `"roles":["member"]`) {
			t.Error(out)
		}
		if !stopped {
			pia.get("/x", program).want(http.StatusForbidden)
		}
	}
}

// adminAPI is a gateway whose API administrators use.
var adminAPI = share(plot{sites: site("api.test", "\ttruxe {\n\t\tallow role staff\n\t}\n\treverse_proxy UPSTREAM")})

// SE-14 CS-01 AU-01: the roles' part of the API: permissions, what it answers, that what it changes counts at once, and
// that a refusal is in the log.
func TestRolesOverTheAPI(t *testing.T) {
	s := adminAPI.open(t)
	root := s.withBearer("api.test", s.login("api.test", "root", adminPassword).Access)
	login := s.login("api.test", "pia", piaPassword)
	pia := s.withBearer("api.test", login.Access)
	path := "admin/users/" + login.User.ID + "/roles/staff"
	for _, c := range []struct{ method, call string }{{"GET", "admin/roles"}, {"GET", "admin/roles/admin"}, {"PUT", path},
		{"DELETE", path}} {
		s.bare("api.test").api(c.method, c.call, nil).problem(http.StatusUnauthorized, "login_required")
		if p := pia.api(c.method, c.call, nil).problem(http.StatusForbidden,
			"permission_required"); !strings.Contains(p.Detail, "truxe:roles:") {
			t.Errorf("%s: %s", c.call, p.Detail)
		} else if line := s.event(p.Reference); !strings.Contains(line,
			`"authz_fail"`) || !strings.Contains(line, p.Detail[len("This needs the permission "):len(p.Detail)-1]) {
			t.Errorf("%s %s is not in the log under %s: %s", c.method, c.call, p.Reference, line)
		}
	}
	pia.get("/x", program).want(http.StatusForbidden)
	for range 2 {
		if a := root.api("PUT", path, nil).want(http.StatusOK); !strings.Contains(a.body, `"roles":["member","staff"]`) {
			t.Error(a.body)
		}
	}
	pia.get("/x", program).want(http.StatusOK)
	var list struct {
		Items []struct {
			Role        string
			Permissions []string
			Members     int
			Defined     string
		}
		NextCursor *string `json:"next_cursor"`
	}
	root.api("GET", "admin/roles", nil).want(http.StatusOK).json(&list)
	if at := slices.IndexFunc(list.Items, func(r struct {
		Role        string
		Permissions []string
		Members     int
		Defined     string
	}) bool {
		return r.Role == "staff"
	}); at < 0 || list.Items[at].Members != 1 || list.NextCursor == nil {
		t.Errorf("%+v", list)
	}
	if a := root.api("GET", "admin/roles/staff", nil).want(http.StatusOK); !strings.Contains(a.body, `"users":["pia"]`) {
		t.Error(a.body)
	}
	root.api("GET", "admin/roles/nothing", nil).problem(http.StatusNotFound, "not_found")
	root.api("PUT", "admin/users/aaaaaaaaaaaaaaaaaaaaaaaaaa/roles/staff", nil).problem(http.StatusNotFound, "not_found")
	root.api("PUT", "admin/users/pia/roles/staff", nil).problem(http.StatusNotFound, "not_found")
	root.api("PUT", strings.Replace(path, "staff", "a%20b", 1), nil).problem(http.StatusBadRequest, "invalid_request")
	root.api("PUT", path, map[string]any{"x": 1}).problem(http.StatusBadRequest, "invalid_request")
	if a := root.api("PATCH", path, nil); a.status != http.StatusMethodNotAllowed ||
		a.header.Get("Allow") != "DELETE, PUT" {
		t.Errorf("%d %q", a.status, a.header.Get("Allow"))
	}
	root.api("DELETE", path, nil).want(http.StatusOK)
	pia.get("/x", program).want(http.StatusForbidden)

	rootID := s.login("api.test", "root", adminPassword).User.ID
	root.api("DELETE", "admin/users/"+rootID+"/roles/admin", nil).problem(http.StatusConflict, "conflict")

	// with a cookie, from our own pages alone; and not long after the sign-in
	browser := s.browser("api.test")
	browser.signIn("root", adminPassword)
	browser.api("PUT", path, nil, []string{"Origin", "https://evil.test"},
		[]string{"Sec-Fetch-Site", "cross-site"}).problem(http.StatusForbidden, "cross_origin")
	browser.api("PUT", path, nil, []string{"Origin", "https://api.test"},
		[]string{"Sec-Fetch-Site", "same-origin"}).want(http.StatusOK)
	browser.api("DELETE", path, nil, []string{"Origin", "https://api.test"}).want(http.StatusOK)
}

// RT-09 JW-11: userinfo and the token say what a user may, sorted and whole.
func TestPermissionsAreToldToTheirHolder(t *testing.T) {
	s := adminAPI.open(t)
	for name, want := range map[string]string{"root": "[*]", "pia": "[]"} {
		password := map[string]string{"root": adminPassword, "pia": piaPassword}[name]
		token := s.login("api.test", name, password).Access
		var info map[string]any
		s.withBearer("api.test", token).api("GET", "userinfo", nil).want(http.StatusOK).json(&info)
		if fmt.Sprint(info["permissions"]) != want || fmt.Sprint(claimsOf(t, token)["permissions"]) != want {
			t.Errorf("%s: userinfo %v, token %v", name, info["permissions"], claimsOf(t, token)["permissions"])
		}
	}
}
