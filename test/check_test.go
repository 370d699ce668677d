package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// checked are sites whose rules are where Caddy's routing puts them.
var checked = share(plot{
	global: "\tservers {\n\t\ttrusted_proxies static 127.0.0.2/32\n\t\ttrusted_proxies_strict\n\t}",
	sites: site("plain.test",
		"\ttruxe {\n\t\tpublic /open/*\n\t\tallow role member\n\t\trequire network 127.0.0.0/8\n\t}\n\treverse_proxy UPSTREAM") +
		site("staff.test", "\ttruxe {\n\t\tallow role staff\n\t}\n\treverse_proxy UPSTREAM") +
		site("mfa.test", "\ttruxe {\n\t\trequire mfa\n\t}\n\treverse_proxy UPSTREAM") +
		site("part.test", "\ttruxe /in/* {\n\t\tallow role staff\n\t}\n\treverse_proxy UPSTREAM") +
		site("routes.test", `	redir /old /new
	handle_path /api/* {
		truxe {
			public /open
			allow role staff
		}
		reverse_proxy UPSTREAM
	}
	handle /staff/* {
		rewrite * /moved{uri}
		truxe {
			public /moved/staff/open
			allow role staff
		}
		reverse_proxy UPSTREAM
	}
	handle /bare/* {
		reverse_proxy UPSTREAM
	}
	@post method POST
	handle @post {
		truxe {
			allow user root
		}
		reverse_proxy UPSTREAM
	}
	handle {
		truxe
		reverse_proxy UPSTREAM
	}`) +
		site("verify.test, app.test",
			"\ttruxe forward_auth {\n\t\thosts app.test\n\t\tpublic /open/*\n\t\tallow role staff\n\t}"),
})

type verdict struct {
	Allow  bool
	Code   string
	Reason string
	Rule   string
}

// asks puts one question.
func (v *visitor) asks(query string, headers ...[]string) verdict {
	v.s.t.Helper()
	var out verdict
	v.do(http.MethodGet, "/.truxe/api/v1/check?"+query, "", headers...).want(http.StatusOK).json(&out)
	return out
}

// What check says is what the request meets: on every host and path where a rule stands, with matchers, handle,
// handle_path and rewrites, for a user with and without the role. R2 AZ-02 AZ-05
func TestCheckSaysWhatTheRequestMeets(t *testing.T) {
	s := checked.open(t)
	pia, root := s.withBearer("plain.test", s.login("plain.test", "pia", piaPassword).Access), s.withBearer("plain.test",
		s.login("plain.test", "root", adminPassword).Access)
	s.cli("roles", "grant", "root", "staff")
	compared := 0
	for _, host := range []string{"plain.test", "staff.test", "mfa.test", "part.test", "routes.test"} {
		for _, path := range []string{"/", "/x", "/open/x", "/in/x", "/in", "/out", "/api/open", "/api/x", "/api/open/x",
			"/staff/open", "/staff/x", "/moved/staff/open", "/new",
			"/a%2fb", "/in/%2e%2e/x", "/in/../x", "//in/x", "/in%2fx", "/x?path=/open", "/%zz", "/staff;x=1/open"} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				for name, v := range map[string]*visitor{"pia": pia, "root": root} {
					meets := *v
					meets.host = host
					a := s.line(&meets, method, path)
					d := v.api("POST", "check", map[string]any{"items": []map[string]string{{"method": method, "path": path,
						"host": host}}})
					if path == "/%zz" {
						d.problem(http.StatusBadRequest, "invalid_request")
						continue
					}
					var out struct{ Items []verdict }
					d.want(http.StatusOK).json(&out)
					compared++
					if got := out.Items[0]; got.Allow != (a.status == http.StatusOK) || !got.Allow && got.Code == "" ||
						got.Allow && got.Code != "" {
						t.Errorf("%s asks %s https://%s%s: check says %+v, the request meets %d", name, method, host, path, got, a.status)
					}
				}
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d were compared", compared)
	}
	for query, want := range map[string]string{
		"method=GET&path=/x&host=app.test": "role_required", "method=GET&path=/open/x&host=app.test": "",
		"method=GET&path=/x&host=STAFF.test.": "role_required",
		"method=GET&path=/x&host=nobody.test": "no_rule", "method=GET&path=/x&host=auth.plain.test": "no_rule",
		"method=GET&path=/x&host=mfa.test":         "mfa_required",
		"method=GET&path=/bare/x&host=routes.test": "no_rule", // no gate of ours is there, so the answer is unknown
		"method=GET&path=/.truxe/account":          "no_rule", "method=GET&path=/in/..%252fx": "ambiguous_path",
		"method=GET&path=/x%23y": "ambiguous_path",
	} {
		if got := pia.asks(query); got.Code != want || got.Allow != (want == "") {
			t.Errorf("%s: %+v, want %q", query, got, want)
		}
	}
}

// line sends a request line as it stands, as no client library would.
func (s *story) line(v *visitor, method, path string) answer {
	s.t.Helper()
	conn := s.g.RawTLS(v.host)
	defer conn.Close()
	fmt.Fprintf(conn,
		"%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: */*\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, path, v.host, v.bearer)
	var status int
	if _, err := fmt.Fscanf(conn, "HTTP/1.1 %d", &status); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{t: s.t, status: status}
}

// With a session one asks on its host, with a token about any; which rule decides is for those who may read policies.
func TestCheckTellsNoMoreThanTheCallerMayKnow(t *testing.T) {
	s := checked.open(t)
	pia := s.browser("plain.test")
	pia.signIn("pia", piaPassword)
	if got := pia.asks("method=GET&path=/x"); !got.Allow || got.Rule != "" {
		t.Errorf("%+v", got)
	}
	if got := pia.asks("method=GET&path=/x&host=plain.test"); !got.Allow {
		t.Errorf("her own host: %+v", got)
	}
	pia.get("/.truxe/api/v1/check?method=GET&path=/x&host=staff.test").problem(http.StatusBadRequest, "invalid_request")
	root := s.withBearer("plain.test", s.login("plain.test", "root", adminPassword).Access)
	if got := root.asks("method=GET&path=/open/x"); !got.Allow || got.Rule != "caddyfile:public#1" {
		t.Errorf("an administrator: %+v", got)
	}
	s.bare("plain.test").get("/.truxe/api/v1/check?method=GET&path=/open/x").problem(http.StatusUnauthorized,
		"login_required")
	if got := root.asks("permission=truxe:users:write"); !got.Allow {
		t.Errorf("%+v", got)
	}
	if got := pia.asks("permission=truxe:users:write"); got.Allow || got.Code != "permission_required" {
		t.Errorf("%+v", got)
	}
	before := s.up.Seen()
	pia.asks("method=DELETE&path=/everything")
	if after := s.up.Seen(); len(after) != len(before) {
		t.Errorf("a question reached the app: %v", after)
	}
}

// AP-03 OP-06: questions are bounded in number, size and shape.
func TestCheckIsBounded(t *testing.T) {
	s := checked.open(t)
	v := s.withBearer("plain.test", s.login("plain.test", "pia", piaPassword).Access)
	items := func(n int) map[string]any {
		list := make([]map[string]string, n)
		for i := range list {
			list[i] = map[string]string{"method": "GET", "path": fmt.Sprintf("/x/%d", i)}
		}
		return map[string]any{"items": list}
	}
	var out struct{ Items []json.RawMessage }
	v.api("POST", "check", items(1)).want(http.StatusOK)
	began := time.Now()
	v.api("POST", "check", items(100)).want(http.StatusOK).json(&out)
	if len(out.Items) != 100 {
		t.Errorf("%d answers", len(out.Items))
	}
	t.Logf("100 questions took %v", time.Since(began).Round(100*time.Microsecond))
	one := func(members ...string) map[string]any {
		m := map[string]string{}
		for i := 0; i+1 < len(members); i += 2 {
			m[members[i]] = members[i+1]
		}
		return map[string]any{"items": []map[string]string{m}}
	}
	for name, body := range map[string]any{"101": items(101), "none": items(0), "no items": map[string]any{},
		"unknown member": one("method", "GET", "path", "/", "as", "root"),
		"no method":      one("path", "/"), "no path": one("method", "GET"),
		"both":      one("method", "GET", "path", "/", "permission", "a:b"),
		"a URL":     one("method", "GET", "path", "https://plain.test/"),
		"two lines": one("method", "GET", "path", "/x\r\nHost: evil"), "a space": one("method", "GET", "path", "/a b"),
		"no token":    one("method", "GE T", "path", "/"),
		"a long path": one("method", "GET", "path", "/"+strings.Repeat("a", 8<<10)),
		"a bad host":  one("method", "GET", "path", "/", "host", "a b"), "not a permission": one("permission", "orders"),
		"a long permission": one("permission", strings.Repeat("a", 300)+":b")} {
		if a := v.api("POST", "check", body); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for _, query := range []string{"", "method=GET", "method=GET&method=POST&path=/", "method=GET&path=/&user=root",
		"method=GET&path=/&%zz", "method=GET&path=/;a=b"} {
		if a := v.get("/.truxe/api/v1/check?" + query); a.status != http.StatusBadRequest {
			t.Errorf("?%s: %d %s", query, a.status, a.body)
		}
	}
	s.user("eager", "gravel roads after rain", "member")
	eager := s.withBearer("plain.test", s.login("plain.test", "eager", "gravel roads after rain").Access)
	last := answer{}
	for range 650 {
		if last = eager.get("/.truxe/api/v1/check?permission=a:b"); last.status != http.StatusOK {
			break
		}
	}
	if last.problem(http.StatusTooManyRequests, "rate_limited"); last.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	v.asks("permission=a:b") // another user's limit
}
