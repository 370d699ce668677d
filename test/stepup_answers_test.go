package test

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// vaultsAsked are what another proxy asks about.
var vaultsAsked = share(plot{
	global: "\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}",
	sites: site("verify.test, one.test", "\ttruxe forward_auth {\n\t\thosts one.test\n\t\trequire mfa max_age 10m\n\t}") +
		site("check.test, near.test",
			"\ttruxe forward_auth {\n\t\thosts near.test\n\t\trequire network 127.0.0.0/8 198.51.100.0/24\n\t}"),
})

// CONTRACT sections 3 and 7, HD-05: the other proxy gets the same answers, with absolute addresses, and nginx 401 with
// Location; the factor asked for there is proven on the app's host, and the next sub-request passes.
func TestStepUpGoesThroughTheOtherProxy(t *testing.T) {
	s := vaultsAsked.open(t)
	f := s.withTOTP("one.test", "nora")
	v := s.browser("one.test")
	v.signInTrusted(f)
	proxy := s.bare("verify.test")
	ask := func(kind []string, headers ...string) answer {
		proxy.cookie = "__Host-truxe=" + v.session() + "; __Host-truxe-flow=" + v.inJar("__Host-truxe-flow")
		return proxy.get(endpoint, headers, kind)
	}
	page := func(a answer) string {
		t.Helper()
		u, err := url.Parse(a.header.Get("Location"))
		if err != nil || u.Scheme != "https" || u.Hostname() != "one.test" || u.Path != "/.truxe/confirm" ||
			u.Query().Get("r") == "" {
			t.Fatalf("it leads to %q", a.header.Get("Location"))
		}
		return u.RequestURI()
	}
	page(ask(navigate, "X-Original-Method", "GET", "X-Original-Url",
		"https://one.test/deep?x=1").want(http.StatusUnauthorized))
	p := ask(program, asked("DELETE", "one.test", "/deep")...).problem(http.StatusUnauthorized, "step_up_required")
	if !strings.HasPrefix(p.ConfirmURL, "/.truxe/confirm?") || p.ACRValues != "2" || p.MaxAge != 600 {
		t.Errorf("%+v", p)
	}
	form := ask(submit, asked("POST", "one.test", "/orders")...).want(http.StatusUnauthorized)
	if form.header.Get("Location") != "" || !strings.Contains(form.body, "data-resubmit") ||
		!strings.Contains(form.header.Get("WWW-Authenticate"), "insufficient_user_authentication") {
		t.Errorf("a form: %v %s", form.header, form.body)
	}
	asks := ask(navigate, asked("GET", "one.test", "/deep?x=1")...).want(http.StatusFound)
	v.get(page(asks), navigate).want(http.StatusOK)
	done := v.form("confirm", "method", "totp", "code", f.code(), "return", wayOf(t, asks)).want(http.StatusSeeOther)
	if end := v.get(done.header.Get("Location"),
		navigate).want(http.StatusOK); !strings.Contains(end.header.Get("Refresh"), "/deep?x=1") {
		t.Errorf("it ends at %q", end.header.Get("Refresh"))
	}
	if a := ask(program, asked("GET", "one.test",
		"/deep?x=1")...).want(http.StatusOK); a.header.Get("Remote-User") != "nora" ||
		!strings.Contains(a.header.Get("X-Truxe-Amr"), "otp") {
		t.Errorf("%v", a.header)
	}
	// R3: the proxy's own address is not its visitor's
	nell := s.browser("near.test")
	s.user("nell", piaPassword)
	nell.signIn("nell", piaPassword)
	check := s.bare("check.test")
	check.cookie = "__Host-truxe=" + nell.session()
	for from, want := range map[string]int{"198.51.100.7": http.StatusOK, "192.0.2.1": http.StatusForbidden,
		"": http.StatusForbidden, "127.0.0.1": http.StatusForbidden} {
		headers := asked("GET", "near.test", "/x")
		if from != "" {
			headers = append(headers, "X-Forwarded-For", from)
		}
		if a := check.get(endpoint, headers, program).want(want); want != http.StatusOK {
			a.problem(want, "network_denied")
		}
	}
}

// MF-21 CS-12: what is public in a site that asks for a factor is open to those who have proven it, and a visitor
// without a session signs in first; a frame gets the small page; no visitor is asked to sign in for a network they are
// not at.
func TestRequirementsHoldOnPublicPathsAndInFrames(t *testing.T) {
	s := vaults.open(t)
	anyone := s.bare("vault.test")
	if to := anyone.get("/about", navigate).want(http.StatusFound).header.Get("Location"); !strings.HasPrefix(to,
		"/.truxe/login?r=") {
		t.Errorf("it leads to %q", to)
	}
	anyone.get("/about", program).problem(http.StatusUnauthorized, "login_required")
	s.user("fred", piaPassword)
	v := s.browser("vault.test")
	v.signIn("fred", piaPassword)
	v.get("/about", program).problem(http.StatusUnauthorized, "step_up_required")
	frame := v.get("/about", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site",
		"same-origin", "Accept", "text/html"}).want(http.StatusUnauthorized)
	if !strings.Contains(frame.body, `target="_top"`) || !strings.Contains(frame.body, "/.truxe/confirm?r=") ||
		frame.header.Get("WWW-Authenticate") == "" {
		t.Errorf("the frame: %v %s", frame.header, frame.body)
	}
	if n := len(s.up.Seen()); n != 0 {
		t.Errorf("the app got %d requests", n)
	}
	// the page of apps says which ones ask, and who has no factor is led to set one up
	apps := v.get("/.truxe/", navigate).want(http.StatusOK)
	if n := strings.Count(apps.body, "Asks you to confirm"); n != 3 { // vault.test, brief.test, keys.test
		t.Errorf("%d apps are marked: %s", n, apps.body)
	}
	asks := v.get("/x", navigate).want(http.StatusFound)
	if page := v.get(asks.header.Get("Location"), navigate).want(http.StatusOK); !strings.Contains(page.body,
		"/.truxe/account/totp") || strings.Contains(page.body, `name="password"`) {
		t.Errorf("the page for a user without a factor: %s", page.body)
	}
	f := s.withTOTP("vault.test", "gwen")
	s.withBearer("vault.test", f.login().Access).get("/about", program).want(http.StatusOK)
	page := s.bare("far.test").get("/x", navigate).want(http.StatusForbidden)
	if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || page.header.Get("Location") != "" ||
		!reference.MatchString(page.body) {
		t.Errorf("a person at the wrong network: %v %s", page.header, page.body)
	}
	if out := s.event(reference.FindString(page.body)); !strings.Contains(out,
		"network_denied") {
		t.Errorf("the reference finds %s", out)
	}
}

// UX section 1.2: a large form is read before it is answered in place or refused, or the sender, who reads no answer
// before the whole form is sent, would see a reset and not the page.
func TestLargeFormIsReadBeforeItIsAnswered(t *testing.T) {
	s := vaults.open(t)
	s.user("lars", piaPassword)
	body := "a=" + strings.Repeat("x", 9<<20)
	for host, want := range map[string]struct {
		status int
		words  string
	}{"vault.test": {http.StatusUnauthorized, "data-resubmit"}, "far.test": {http.StatusForbidden, "network"}} {
		v := s.browser(host)
		v.signIn("lars", piaPassword)
		h2 := s.bare(host)
		h2.c, h2.cookie = s.g.ClientH2(), "__Host-truxe="+v.session()
		if a := h2.do(http.MethodPost, "/orders", body, submit).want(want.status); !strings.Contains(a.body, want.words) {
			t.Errorf("%s, HTTP/2: %s", host, a.body)
		}
		for name, cookie := range map[string]string{"signed in": h2.cookie, "anonymous": "a=b"} {
			if host == "vault.test" && name == "anonymous" {
				continue // is asked to sign in
			}
			conn := s.g.RawTLS(host)
			r, err := http.NewRequest(http.MethodPost, "https://"+host+"/orders", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Cookie", cookie)
			for i := 0; i < len(submit); i += 2 {
				r.Header.Set(submit[i], submit[i+1])
			}
			if err := r.Write(conn); err != nil {
				t.Errorf("%s, %s: the form was cut: %v", host, name, err)
			} else if res, err := http.ReadResponse(bufio.NewReader(conn), r); err != nil || res.StatusCode != want.status {
				t.Errorf("%s, %s: %v %v", host, name, res, err)
			} else if page, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(page), want.words) {
				t.Errorf("%s, %s: %s %v", host, name, page, err)
			}
			conn.Close()
		}
	}
	if n := len(s.up.Seen()); n != 0 {
		t.Errorf("the app got %d requests", n)
	}
}

// MF-21: what another issuer says about factors is not what this gateway saw. Its tokens cannot prove more here: they
// are refused with the reason, and no visitor is sent to a page for it.
func TestTokenOfAnotherIssuerCannotStepUp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	jwks := filepath.Join(t.TempDir(), "jwks.json")
	text := fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"k","use":"sig","alg":"RS256","n":%q,"e":"AQAB"}]}`,
		base64.RawURLEncoding.EncodeToString(key.N.Bytes()))
	if err := os.WriteFile(jwks, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := tell(t,
		plot{options: "\t\tjwt {\n\t\t\tprivate_key {env.JWT_PRIVATE_KEY_BASE64}\n\t\t\ttrust https://idp.test {\n\t\t\t\tjwks " + jwks + "\n\t\t\t\taudience apps\n\t\t\t}\n\t\t}",
			sites: site("plain.test", "\ttruxe {\n\t\tassertion on\n\t}\n\treverse_proxy UPSTREAM") +
				site("mfa.test", "\ttruxe {\n\t\trequire mfa\n\t}\n\treverse_proxy UPSTREAM") + site("key.test",
				"\ttruxe {\n\t\trequire passkey max_age 1h\n\t}\n\treverse_proxy UPSTREAM")})
	now := time.Now().Unix()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": "https://idp.test", "aud": "apps", "sub": "42",
		"iat": now, "exp": now + 300, "auth_time": now, "jti": "j",
		"client_id": "c", "amr": []string{"pwd", "otp", "mfa", "hwk"}, "acr": "3", "mfa_time": now, "passkey_time": now})
	token.Header["kid"], token.Header["typ"] = "k", "at+jwt"
	raw, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	s.withBearer("plain.test", raw).get("/x", program).want(http.StatusOK) // control
	claims, err := s.believe(s.up.Last().Get(assertionName)[0], "plain.test")
	if err != nil || claims["sub"] != "https://idp.test|42" || claims["acr"] != nil || claims["amr"] != nil ||
		claims["mfa_time"] != nil || claims["passkey_time"] != nil {
		t.Errorf("the assertion: %v %v", claims, err)
	}
	if amr := s.up.Last().Get("X-Truxe-Amr"); len(amr) != 0 {
		t.Errorf("methods of another issuer in X-Truxe-Amr: %q", amr)
	}
	s.up.Forget()
	for host, code := range map[string]string{"mfa.test": "mfa_required", "key.test": "passkey_required"} {
		s.withBearer(host, raw).get("/x", program).problem(http.StatusForbidden, code)
		for _, kind := range [][]string{navigate, submit} {
			a := s.withBearer(host, raw).get("/x", kind).want(http.StatusForbidden)
			if a.header.Get("Location") != "" || strings.Contains(a.body, "/.truxe/confirm") {
				t.Errorf("%s: %v %s", host, a.header, a.body)
			}
		}
	}
	if n := len(s.up.Seen()); n != 0 {
		t.Errorf("the app got %d requests", n)
	}
}
