package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

var tokenSites = share(plot{options: "\t\trate_limit address 10000 5m",
	sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})

// refusedToken wants the answer to a token that is ours and no good: 401, never a redirect, and nothing at the app.
func (s *story) refusedToken(a answer) {
	s.t.Helper()
	p := a.problem(401, "invalid_token")
	if a.header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` || p.LoginURL != "" {
		s.t.Errorf("%v %s", a.header, a.body)
	}
}

// JW-05, SE-19 (fmt-bearer-scheme, fmt-query-parameter, fmt-form-body, clm-access-in-cookie of the attack matrix) a
// token is taken from one place only, and the scheme in any case.
func TestTokenIsTakenFromTheAuthorizationHeaderOnly(t *testing.T) {
	s := tokenSites.open(t)
	token := s.login("app.test", "pia", piaPassword).Access
	v := s.bare("app.test")
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER "} {
		v.get("/x", program, []string{"Authorization", scheme + token}).want(200)
	}
	s.up.Forget()
	for name, header := range map[string]string{"a tab": "Bearer\t" + token, "a list": "Bearer " + token + ", " + token,
		"two words": "Bearer " + token + " x"} {
		first := v.get("/x", program, []string{"Authorization", header})
		again := v.get("/x", program, []string{"Authorization", header})
		if first.status != again.status || first.status != 401 && first.status != 400 {
			t.Errorf("%s: %d, then %d", name, first.status, again.status)
		}
	}
	v.get("/x?access_token="+token, program).problem(401, "login_required")
	v.do(http.MethodPost, "/x", values("access_token", token), program, sendsForm).problem(401, "login_required")
	v.get("/x", program, []string{"Cookie", "__Host-truxe=" + token}).problem(401, "login_required")
	if a := v.get("/x", navigate, []string{"Cookie", "__Host-truxe=" + token}); a.status != http.StatusFound {
		t.Errorf("a token in the cookie, by navigation: %d", a.status)
	}
	if got := s.up.Seen(); len(got) != 0 {
		t.Errorf("the app saw %d requests", len(got))
	}
}

// JW-12 (clm-jti-revoked) a token that was revoked by its id is refused, within a second.
func TestTokenRevokedByItsIDIsRefused(t *testing.T) {
	s := tokenSites.open(t)
	token, other := s.login("app.test", "pia", piaPassword), s.login("app.test", "pia", piaPassword)
	s.withBearer("app.test", token.Access).get("/x", program).want(200)
	s.bare("app.test").do(http.MethodPost, "/.truxe/api/v1/revoke",
		values("token", token.Access, "token_type_hint", "access_token"), sendsForm).want(200)
	rig.WaitFor(t, time.Second, "the token is refused",
		func() bool { return s.withBearer("app.test", token.Access).get("/x", program).status == 401 })
	s.refusedToken(s.withBearer("app.test", token.Access).get("/x", program))
	s.withBearer("app.test", other.Access).get("/x", program).want(200)
}

var compact = regexp.MustCompile(`"([A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){2,4})"`)

// JW-01, JW-02, JW-05 every token of RFC 7515, 7519 and 7520, as a bearer token: HS256, none, PSS, ECDSA, EdDSA,
// detached, nested, encrypted. None lets a request in, none is a redirect and none breaks the server.
func TestTokensOfTheRFCsLetNoUserIn(t *testing.T) {
	s := tokenSites.open(t)
	tokens := map[string]bool{
		// RFC 7515 A.1 and A.5, which are committed; the others are read from the corpora
		"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk": true,
		"eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.":                                                                 true,
	}
	if _, ok := corpus(t, "rfc7520/jws_4_1.rsa_v15_signature.json"); ok {
		dir := os.Getenv("TRUXE_CORPORA")
		if dir == "" {
			dir = filepath.Join(rig.Root(), "..", "shared", "corpora")
		}
		files, err := filepath.Glob(filepath.Join(dir, "rfc7520", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range compact.FindAllSubmatch(raw, -1) {
				tokens[string(m[1])] = true
			}
		}
		if len(tokens) < 10 {
			t.Errorf("only %d tokens were found", len(tokens))
		}
	}
	good := s.login("app.test", "pia", piaPassword).Access
	s.withBearer("app.test", good).get("/x", program).want(200)
	s.up.Forget()
	for token := range tokens {
		if a := s.withBearer("app.test", token).get("/x", program); a.status != 401 && a.status != 400 && a.status != 431 {
			t.Errorf("%d for %.60s…", a.status, token)
		}
	}
	if got := s.up.Seen(); len(got) != 0 {
		t.Errorf("the app saw %d requests", len(got))
	}
	s.withBearer("app.test", good).get("/x", program).want(200)
	t.Logf("%d tokens", len(tokens))
}

// CS-07, CS-08 no parameter and no Referer chooses where a sign-in or a sign-out ends: 57 targets of a peer's table and
// our own, under every name that such parameters have.
func TestNoParameterChoosesWhereASignInEnds(t *testing.T) {
	s := tokenSites.open(t)
	targets := []string{"https://evil.example/", "//evil.example/", `/\evil.example/`, "https:evil.example",
		"/.truxe/../../evil", "javascript:alert(1)", "\thttps://evil.example", "https://app.test.evil.example/",
		"https://app.test@evil.example/"}
	if raw, ok := corpus(t, "redirect/oauth2_proxy_validator_table.json"); ok {
		var table struct{ Cases []struct{ URL string } }
		if err := json.Unmarshal(raw, &table); err != nil || len(table.Cases) < 50 {
			t.Fatalf("%d cases: %v", len(table.Cases), err)
		}
		for _, c := range table.Cases {
			targets = append(targets, c.URL)
		}
	}
	names := []string{"rd", "redirect", "next", "return_to", "url", "return", "r", "continue", "post_logout_redirect_uri"}
	v := s.browser("app.test")
	home := func(what, location string) {
		t.Helper()
		u, err := url.Parse(location)
		if err != nil || u.Host != "" && u.Host != "app.test" && u.Host != fmt.Sprintf("app.test:%d", s.g.Port("https")) ||
			!strings.HasPrefix(u.Path, "/.truxe") && u.Path != "" {
			t.Errorf("%s ends at %s", what, location)
		}
	}
	for i, target := range targets {
		query, fields := url.Values{}, []string{"username", "pia", "password", piaPassword}
		for _, name := range names {
			query.Set(name, target)
			fields = append(fields, name, target)
		}
		referer := []string{"Referer", strings.Map(func(r rune) rune {
			if r < ' ' {
				return -1
			}
			return r
		}, target)}
		v.get("/.truxe/login?"+query.Encode(), navigate, referer)
		if i%8 == 0 { // a sign-in costs a hash
			a := v.do(http.MethodPost, "/.truxe/login?"+query.Encode(), values(fields...), submit,
				[]string{"Origin", "https://app.test"})
			if a.status == http.StatusSeeOther {
				home("a sign-in with "+target, a.header.Get("Location"))
			} else {
				a.want(http.StatusOK, http.StatusBadRequest)
			}
		}
		if a := v.get("/.truxe/callback?"+query.Encode()+"&ticket=x", navigate, referer); a.header.Get("Location") != "" {
			home("a callback with "+target, a.header.Get("Location"))
		}
		if a := v.do(http.MethodPost, "/.truxe/logout?"+query.Encode(), values(fields[4:]...), submit,
			[]string{"Origin", "https://app.test"}); a.header.Get("Location") != "" {
			home("a sign-out with "+target, a.header.Get("Location"))
		}
	}
	t.Logf("%d targets under %d names", len(targets), len(names))
}
