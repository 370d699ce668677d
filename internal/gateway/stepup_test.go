package gateway

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// proven starts a session of the first user with a proof, and returns its cookie.
func proven(t testing.TB, g *Gateway, p identity.Proof) string {
	t.Helper()
	var value string
	err := g.engine.store.Tx(context.Background(), func(tx *store.Tx) error {
		user, err := tx.UserByLogin(context.Background(), testUser)
		if err == nil {
			value, _, _, err = g.engine.sessions.Start(context.Background(), tx,
				session.NewSession{User: user.User, Kind: session.Browser, Host: "app.test", Proof: p})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return authn.SessionCookie + "=" + value
}

// from requires a network.
func from(network string) []rules.Require {
	return []rules.Require{{Networks: []netip.Prefix{netip.MustParsePrefix(network)}}}
}

func siteWith(t testing.TB, c gate.SiteConfig) *gate.Site {
	t.Helper()
	s, err := gate.NewSites(rules.NewBook(nil)).Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func serve(t testing.TB, g *Gateway, s *gate.Site, r *http.Request, up *upstream) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := g.Gate().Serve(w, r, s, gate.Client{Addr: "192.0.2.7"}, up, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// MF-21 CS-12: a user who has proven too little is asked for more, each client in its own way; what was proven long
// ago counts for what asks for nothing recent.
func TestStepUpIsAskedForByTheKindOfRequest(t *testing.T) {
	now := time.Now()
	g, up := startAt(t, func() time.Time { return now }), &upstream{}
	s := siteWith(t, gate.SiteConfig{Rules: rules.Lines{Public: []string{"/open"},
		Require: []rules.Require{{Assurance: identity.Assurance{MFA: true, MaxAge: 10 * time.Minute}}}}})
	password := proven(t, g, identity.Proof{AuthTime: now, AMR: []string{"pwd"}, ACR: "1"})
	strong := proven(t, g, identity.Proof{AuthTime: now, MFATime: now, AMR: []string{"pwd", "otp", "mfa"}, ACR: "2"})

	if serve(t, g, s, newRequest("Cookie", strong), up); up.served != 1 || up.header.Get("X-Truxe-Amr") != "pwd,otp,mfa" {
		t.Fatalf("served %d, amr %q", up.served, up.header.Get("X-Truxe-Amr"))
	}
	now = now.Add(11 * time.Minute)
	for name, cookie := range map[string]string{"password alone": password, "second factor too long ago": strong} {
		w := serve(t, g, s, newRequest("Cookie", cookie), up)
		if at := w.Header().Get("Location"); w.Code != http.StatusFound || !strings.HasPrefix(at, "/.truxe/confirm?r=") ||
			w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d to %q", name, w.Code, at)
		}
		form := newRequest("Cookie", cookie)
		form.Method = http.MethodPost
		for site, resubmit := range map[string]bool{"same-origin": true, "cross-site": false} {
			form.Header.Set("Cookie", cookie)
			form.Header.Set("Sec-Fetch-Site", site)
			w := serve(t, g, s, form, up)
			body := w.Body.String()
			if w.Code != http.StatusUnauthorized || w.Header().Get("Location") != "" ||
				!strings.Contains(body, "/.truxe/confirm?acr_values=2&amp;back=1&amp;max_age=600") ||
				strings.Contains(body, "data-resubmit") != resubmit {
				t.Errorf("%s: a form from %s: %d %s", name, site, w.Code, body)
			}
			// RFC 9110 15.5.2
			if got := w.Header().Get("WWW-Authenticate"); !strings.Contains(got, `insufficient_user_authentication`) {
				t.Errorf("%s: a form from %s: WWW-Authenticate %q", name, site, got)
			}
		}
		call := newRequest("Cookie", cookie)
		call.Header.Set("Sec-Fetch-Mode", "cors")
		w = serve(t, g, s, call, up)
		var told struct {
			Code       string `json:"code"`
			ACRValues  string `json:"acr_values"`
			MaxAge     int    `json:"max_age"`
			ConfirmURL string `json:"confirm_url"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Code != http.StatusUnauthorized ||
			told.Code != "step_up_required" || told.ACRValues != "2" ||
			told.MaxAge != 600 || told.ConfirmURL != "/.truxe/confirm?acr_values=2&back=1&max_age=600" {
			t.Errorf("%s: fetch: %d %s", name, w.Code, w.Body)
		}
		if got := w.Header().Get("WWW-Authenticate"); got != `Bearer error="insufficient_user_authentication", acr_values="2", max_age="600"` {
			t.Errorf("%s: RFC 9470 field: %s", name, got)
		}
	}
	if up.served != 1 {
		t.Errorf("the app was reached %d times", up.served)
	}
	// a visitor without a session signs in first; what is public stays so only for those who meet the rule
	if w := serve(t, g, s, newRequest("", ""), up); w.Code != http.StatusFound ||
		!strings.HasPrefix(w.Header().Get("Location"), "/.truxe/login?r=") {
		t.Errorf("anonymous: %d %s", w.Code, w.Header().Get("Location"))
	}
}

// R3, LK-07: a network is judged by the address that the server found, and an unknown one is in none.
func TestNetworkIsJudgedByTheConnection(t *testing.T) {
	g, up := start(t), &upstream{}
	cookie, bearer := signIn(t, g)
	s := siteWith(t, gate.SiteConfig{Rules: rules.Lines{Require: from("10.0.0.0/8")}})
	for addr, want := range map[string]int{"10.1.1.1": 200, "[::ffff:10.1.1.1]:443": 200, "192.0.2.1": 403, "": 403,
		"@": 403} {
		for name, value := range map[string]string{"Cookie": cookie, "Authorization": bearer} {
			r, w, before := newRequest(name, value), httptest.NewRecorder(), up.served
			r.Header.Set("X-Forwarded-For", "10.1.1.1")
			if err := g.Gate().Serve(w, r, s, gate.Client{Addr: addr}, up, nil); err != nil {
				t.Fatal(err)
			}
			if (up.served > before) != (want == 200) || want != 200 && w.Code != want {
				t.Errorf("%q with %s: served %d, status %d", addr, name, up.served-before, w.Code)
			}
		}
	}
}

// A user at the wrong network reads a page and a program problem+json, signed in or not; neither is sent to sign in
// for it.
func TestWrongNetworkIsToldToEachInItsOwnWay(t *testing.T) {
	g, up := start(t), &upstream{}
	cookie, _ := signIn(t, g)
	s := siteWith(t, gate.SiteConfig{Rules: rules.Lines{Public: []string{"/open"}, Require: from("10.0.0.0/8")}})
	for _, value := range []string{cookie, ""} {
		for mode, kind := range map[string]string{"navigate": "text/html", "cors": "application/problem+json"} {
			for _, path := range []string{"/x", "/open"} {
				r := newRequest("Cookie", value)
				r.URL.Path = path
				r.Header.Set("Sec-Fetch-Mode", mode)
				w := serve(t, g, s, r, up)
				if w.Code != http.StatusForbidden || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) ||
					w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), "network") {
					t.Errorf("cookie %t, %s %s: %d %s %s", value != "", mode, path, w.Code, w.Header().Get("Content-Type"),
						w.Body)
				}
			}
		}
	}
	if up.served != 0 {
		t.Errorf("the app was reached %d times", up.served)
	}
}

// R1: a preflight that may pass without a credential still has to come from the right network.
func TestPreflightPassesNoNetworkRule(t *testing.T) {
	g, up := start(t), &upstream{}
	s := siteWith(t, gate.SiteConfig{PassPreflight: true,
		Rules: rules.Lines{Require: []rules.Require{{Assurance: identity.Assurance{MFA: true}},
			{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}}})
	for addr, served := range map[string]int{"192.0.2.7": 0, "": 0, "10.1.1.1": 1} {
		r, before := newRequest("", ""), up.served
		r.Method = http.MethodOptions
		r.Header = http.Header{"Origin": {"https://spa.test"}, "Access-Control-Request-Method": {"PUT"}}
		w := httptest.NewRecorder()
		if err := g.Gate().Serve(w, r, s, gate.Client{Addr: addr}, up, nil); err != nil || up.served-before != served ||
			served == 0 && w.Code != http.StatusForbidden {
			t.Errorf("from %q: served %d, status %d: %v", addr, up.served-before, w.Code, err)
		}
	}
}

// R3 R1: a trusted proxy's own address is not its visitor's. A proxy that asks forward_auth without saying for whom, or
// that names trusted addresses alone, leads into no network; neither does it on the way of a request.
func TestAddressOfTheProxyIsNotTheVisitors(t *testing.T) {
	g, up := start(t), &upstream{}
	cookie, _ := signIn(t, g)
	office := from("10.0.0.0/8")
	asked := siteWith(t, gate.SiteConfig{Rules: rules.Lines{Require: office}, ForwardHosts: []string{"app.test"}})
	inline := siteWith(t, gate.SiteConfig{Rules: rules.Lines{Require: office}})
	for name, c := range map[string]struct {
		peer, client, forwardedFor string
		trusted                    bool
		forward, inline            bool // let in
	}{
		"visitor from the office": {"10.0.0.5:4711", "10.1.1.1", "10.1.1.1", true, true, true},
		"visitor from elsewhere":  {"10.0.0.5:4711", "192.0.2.1", "192.0.2.1", true, false, false},
		// on a request's own way: a visitor who needs no proxy
		"proxy names no visitor":          {"10.0.0.5:4711", "10.0.0.5", "", true, false, true},
		"proxy names trusted hosts alone": {"10.0.0.5:4711", "10.0.0.5", "10.0.0.9", true, false, false},
		"mapped, proxy names no visitor":  {"[::ffff:10.0.0.5]:4711", "10.0.0.5", "", true, false, true},
		"untrusted peer, forged field":    {"10.0.0.7:4711", "10.0.0.7", "10.0.0.9", false, false, true},
	} {
		request := func() *http.Request {
			r := newRequest("Cookie", cookie)
			r.RemoteAddr = c.peer
			if c.forwardedFor != "" {
				r.Header["X-Forwarded-For"] = []string{c.forwardedFor}
			}
			return r
		}
		client := gate.Client{Addr: c.client, TrustedPeer: c.trusted}
		r, w := request(), httptest.NewRecorder()
		for name, value := range map[string]string{"Method": "GET", "Proto": "https", "Host": "app.test", "Uri": "/x"} {
			r.Header["X-Forwarded-"+name] = []string{value}
		}
		if g.Gate().ServeForwardAuth(w, r, asked, gate.Question{}, client); (w.Code == http.StatusOK) != c.forward {
			t.Errorf("%s, forward_auth: %d %s", name, w.Code, w.Body)
		}
		before, w := up.served, httptest.NewRecorder()
		if err := g.Gate().Serve(w, request(), inline, client, up, nil); err != nil || (up.served > before) != c.inline {
			t.Errorf("%s, inline: %d %v", name, w.Code, err)
		}
	}
}

// HD-04: the assertion is for the host that was asked, at most 120 s old, verifies with the published keys, and is
// never the client's. It is signed once a minute, not once a request.
func TestAssertionIsForOneHostAndNeverTheClients(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	g, up := startAt(t, func() time.Time { return now }), &upstream{}
	_, bearer := signIn(t, g)
	cookie := proven(t, g, identity.Proof{AuthTime: now, MFATime: now, AMR: []string{"pwd", "otp", "mfa"}, ACR: "2"})
	s := withAssertion(t)
	ask := func(host, name, value string) string {
		r := newRequest(name, value)
		r.Host = host
		r.Header["X-Truxe-Jwt-Assertion"] = []string{"forged"}
		serve(t, g, s, r, up)
		return up.header.Get("X-Truxe-Jwt-Assertion")
	}
	first := ask("APP.test:443", "Cookie", cookie)
	claims := verifyAssertion(t, g, first, now)
	for name, want := range map[string]any{"aud": "app.test", "iss": "https://app.test", "preferred_username": testUser,
		"acr": "2", "auth_time": float64(now.Unix()),
		"mfa_time": float64(now.Unix()), "exp": float64(now.Add(120 * time.Second).Unix())} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if again := ask("app.test", "Cookie", cookie); again != first {
		t.Error("a second request was signed anew")
	}
	one, other := ask("app.test", "Authorization", bearer), ask("other.test", "Authorization", bearer)
	if a, b := verifyAssertion(t, g, one, now)["aud"], verifyAssertion(t, g, other, now)["aud"]; a != "app.test" ||
		b != "other.test" {
		t.Errorf("audiences %v and %v", a, b)
	}
	// JW-10: no request passes with an assertion
	before := up.served
	if w := serve(t, g, s, newRequest("Authorization", "Bearer "+first), up); w.Code != http.StatusUnauthorized ||
		up.served != before {
		t.Errorf("an assertion as access token: %d", w.Code)
	}
	now = now.Add(61 * time.Second)
	if fresh := ask("app.test", "Cookie", cookie); fresh == first ||
		verifyAssertion(t, g, fresh, now)["jti"] == claims["jti"] {
		t.Error("an assertion of a minute ago is still sent")
	}
	// a change of roles shows at once
	user, err := g.engine.store.UserByLogin(context.Background(), testUser)
	if err != nil {
		t.Fatal(err)
	}
	roles := []string{"admin", "auditor"}
	if _, err := g.people.UpdateUser(context.Background(), change.By{Via: "cli"}, user.ID,
		store.UserChange{Roles: &roles}); err != nil {
		t.Fatal(err)
	}
	api := newRequest("Cookie", cookie)
	api.Header.Set("Sec-Fetch-Mode", "cors")
	serve(t, g, s, api, up)
	if got := verifyAssertion(t, g, up.header.Get("X-Truxe-Jwt-Assertion"), now)["roles"]; len(got.([]any)) != 2 {
		t.Errorf("roles %v after the change", got)
	}
	// an anonymous request has none, and the client's does not pass
	public := newRequest("", "")
	public.URL = &url.URL{Path: "/healthz"}
	alias := strings.Join([]string{"X-Truxe", "Jwt-Assertion"}, "_") // as CGI reads it
	maps.Copy(public.Header, http.Header{alias: {first}})
	if serve(t, g, s, public, up); up.header.Get("X-Truxe-Jwt-Assertion") != "" || len(up.header[alias]) != 0 {
		t.Errorf("an anonymous visitor has %v", up.header)
	}
}

// failing stands for a ring that cannot sign.
type failing struct{ n atomic.Int64 }

func (f *failing) Version() uint64 { return 0 }

func (f *failing) Sign(*identity.Principal, string) (string, time.Time, error) {
	f.n.Add(1)
	return "", time.Time{}, context.DeadlineExceeded
}

// R1: an app that trusts assertions never gets a request without one because signing failed.
func TestRequestWithoutItsAssertionDoesNotReachTheApp(t *testing.T) {
	g, up := start(t), &upstream{}
	cookie, _ := signIn(t, g)
	s := withAssertion(t)
	broken := &failing{}
	g.gate.Signer = broken
	if w := serve(t, g, s, newRequest("Cookie", cookie), up); w.Code != http.StatusServiceUnavailable || up.served != 0 ||
		broken.n.Load() != 1 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d, served %d, %d tries", w.Code, up.served, broken.n.Load())
	}
}

func withAssertion(t testing.TB) *gate.Site {
	t.Helper()
	c := gate.SiteConfig{Rules: rules.Lines{Public: []string{"/healthz"}}}
	c.Headers.Assertion = true
	return siteWith(t, c)
}

// verifyAssertion does what an app does: the published keys, RS256 alone, the audience checked by the caller.
func verifyAssertion(t testing.TB, g *Gateway, raw string, now time.Time) jwt.MapClaims {
	t.Helper()
	body, _ := g.engine.ring.JWKS()
	var set struct {
		Keys []struct{ KID, N, E string }
	}
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) == 0 {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	token, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return now })).ParseWithClaims(raw, claims,
		func(tok *jwt.Token) (any, error) {
			for _, k := range set.Keys {
				if k.KID == tok.Header["kid"] {
					return publicKey(t, k.N, k.E), nil
				}
			}
			return nil, jwt.ErrTokenUnverifiable
		})
	if err != nil || token.Header["typ"] != "truxe-assertion+jwt" {
		t.Fatalf("%q: %v", raw, err)
	}
	if life := claims["exp"].(float64) - claims["iat"].(float64); life > 120 {
		t.Errorf("it lives %v s", life)
	}
	return claims
}

func publicKey(t testing.TB, n, e string) *rsa.PublicKey {
	t.Helper()
	modulus, err := base64.RawURLEncoding.DecodeString(n)
	if err != nil {
		t.Fatal(err)
	}
	exponent, err := base64.RawURLEncoding.DecodeString(e)
	if err != nil {
		t.Fatal(err)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(new(big.Int).SetBytes(exponent).Int64())}
}
