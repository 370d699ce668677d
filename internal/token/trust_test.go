package token

import (
	"context"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

const theirIssuer = "https://idp.example/realms/a"

func jwks(keys map[string]*rsa.PrivateKey) string {
	var list []jwk
	for kid, k := range keys {
		list = append(list, publicJWK(&k.PublicKey, kid))
	}
	return mustJSON(m{"keys": list})
}

func jwksFile(t testing.TB, k *rsa.PrivateKey, kid string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, []byte(jwks(map[string]*rsa.PrivateKey{kid: k})), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// idp is another issuer that publishes its keys on loopback.
type idp struct {
	*httptest.Server
	fetches atomic.Int64
	answer  atomic.Value // http.HandlerFunc
}

func newIDP(t testing.TB, answer http.HandlerFunc) *idp {
	t.Helper()
	i := &idp{}
	i.answer.Store(answer)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.fetches.Add(1)
		i.answer.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func serve(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func theirToken(now time.Time, kid string, change m) string {
	return sign(attackerKey(), m{"alg": "RS256", "typ": "at+jwt", "kid": kid},
		with(m{"iss": theirIssuer, "sub": "bob", "aud": "orders", "exp": now.Unix() + 900,
			"iat": now.Unix(), "jti": "j1", "client_id": "c", "roles": []string{"staff"}}, change))
}

// newTrust returns a rig that trusts an issuer; both share one clock.
func newTrust(t testing.TB, source string, change func(*TrustConfig)) (*rig, *Trust) {
	t.Helper()
	c := newClock()
	cfg := TrustConfig{Issuer: theirIssuer, JWKS: source, Audience: []string{"orders"}, Now: c.now}
	if change != nil {
		change(&cfg)
	}
	trust := must(NewTrust(cfg))(t)
	return newRigAt(t, c, trust), trust
}

// JW-09: a trusted issuer's token gives a person of that issuer: no id, token id or user name of ours.
func TestTokenOfATrustedIssuer(t *testing.T) {
	r, _ := newTrust(t, jwksFile(t, attackerKey(), "k1"), nil)
	now := r.clock.now()
	p, err := r.verifier.Verify(t.Context(), theirToken(now, "k1",
		m{"preferred_username": "Ann", "email": "ann@example.com"}))
	if err != nil {
		t.Fatal(err)
	}
	if p.UserID != theirIssuer+"|bob" || p.Username != theirIssuer+"|bob" || p.Email != "" ||
		p.TokenID != theirIssuer+"|j1" || p.HasRole("staff") || p.ClientID != theirIssuer+"|c" || p.SessionID != "" ||
		p.UserKey != identity.RevocationKey(identity.RevokeUser, p.UserID) ||
		p.TokenKey != identity.RevocationKey(identity.RevokeJTI, p.TokenID) {
		t.Errorf("%+v", p)
	}
	if p, err = r.verifier.Verify(t.Context(), theirToken(now, "k1",
		m{"jti": removed{}, "email": "b@example.com", "email_verified": true})); err != nil || len(p.TokenID) < 32 ||
		p.Email == "" {
		t.Errorf("without jti: %+v %v", p, err)
	}
	for name, raw := range map[string]string{"our audience": theirToken(now, "k1", m{"aud": "truxe"}),
		"typ JWT":     sign(attackerKey(), m{"alg": "RS256", "typ": "JWT", "kid": "k1"}, m{}),
		"unknown kid": theirToken(now, "k2", nil), "no subject": theirToken(now, "k1", m{"sub": removed{}}),
		"line in subject": theirToken(now, "k1", m{"sub": "bob\nX: y"}),
		"empty jti":       theirToken(now, "k1", m{"jti": ""}), "issuer case": theirToken(now, "k1",
			m{"iss": strings.ToUpper(theirIssuer)})} {
		r.refused(name, raw)
	}
}

// JW-09: an identity provider at a name below a wildcard site is an issuer of its own: only the issuers that the
// configuration names exactly are refused in a trust block. Its tokens verify with its keys, and those of the gateway's
// keys do not.
func TestTrustedIssuerBelowAWildcardSite(t *testing.T) {
	theirs := "https://idp.wild.test"
	source := jwksFile(t, attackerKey(), "k1")
	r, _ := newTrust(t, source, nil)
	trust := []*Trust{must(NewTrust(TrustConfig{Issuer: theirs, JWKS: source, Audience: []string{"orders"},
		Now: r.clock.now}))(t)}
	v, err := NewVerifier(VerifierConfig{Ring: r.ring, Issuers: []string{ourIssuer, "https://*.wild.test"},
		Audience: []string{"truxe"}, Trust: trust, Now: r.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	p, err := v.Verify(t.Context(), theirToken(r.clock.now(), "k1", m{"iss": theirs}))
	if err != nil || p.UserID != theirs+"|bob" {
		t.Errorf("%+v %v", p, err)
	}
	header, claims := r.good()
	if _, err := v.Verify(t.Context(), sign(ourKey(), header, with(claims, m{"iss": theirs}))); err == nil {
		t.Error("the gateway's key signs for the identity provider")
	}
	if _, err := v.Verify(t.Context(), sign(ourKey(), header,
		with(claims, m{"iss": "https://app.wild.test"}))); err != nil {
		t.Errorf("control: a token of another host of the wildcard: %v", err)
	}
	for _, own := range []string{theirs, ourIssuer} {
		list := []*Trust{must(NewTrust(TrustConfig{Issuer: own, JWKS: source, Audience: []string{"orders"}}))(t)}
		if err := CheckIssuers([]string{ourIssuer, theirs, "https://*.wild.test"}, list); err == nil {
			t.Errorf("control: %s is ours and trusted at once", own)
		}
	}
}

// MF-21: how a trusted issuer signed a user in is its own words: no word is a method of ours. What cannot be a list
// of methods is left out.
func TestMethodsOfATrustedIssuerAreItsOwn(t *testing.T) {
	r, _ := newTrust(t, jwksFile(t, attackerKey(), "k1"), nil)
	many := make([]string, 1000)
	for i := range many {
		many[i] = "m"
	}
	for name, c := range map[string]struct {
		claim any
		want  []string
	}{
		"ours in their mouth": {[]string{"pwd", "mfa"}, []string{theirIssuer + "|pwd", theirIssuer + "|mfa"}},
		"absent":              {removed{}, nil}, "text": {"mfa", nil}, "mixed": {[]any{"mfa", 1}, nil},
		"a line": {[]string{"mfa", "a\nb"}, nil},
		"empty":  {[]string{"", "mfa"}, nil}, "many": {many, nil}, "long": {[]string{strings.Repeat("m", 1000)}, nil},
	} {
		p, err := r.verifier.Verify(t.Context(), theirToken(r.clock.now(), "k1", m{"amr": c.claim}))
		if err != nil || !slices.Equal(p.AMR, c.want) {
			t.Errorf("%s: %.200q %v", name, p.AMR, err)
		}
	}
	if p, err := r.verifier.Verify(t.Context(), r.issue()); err != nil || !slices.Contains(p.AMR, "pwd") {
		t.Errorf("control: a token of ours: %+v %v", p, err)
	}
}

// JW-09 CVE-2026-55669: keys belong to one issuer. Theirs do not sign for us, ours not for them, whatever the kid.
func TestKeyOfOneIssuerSignsForNoOther(t *testing.T) {
	r, _ := newTrust(t, jwksFile(t, attackerKey(), thumbprint(&ourKey().PublicKey)), nil) // even under our kid
	header, claims := r.good()
	r.accepted("their own", theirToken(r.clock.now(), text(header, "kid"), nil))
	r.refused("theirs as ours", sign(attackerKey(), header, claims))
	_, theirs := parts(t, theirToken(r.clock.now(), "x", nil))
	r.refused("ours as theirs", sign(ourKey(), header, theirs))
	if _, err := NewVerifier(VerifierConfig{Ring: r.ring, Issuers: []string{theirIssuer},
		Trust: r.verifier.cfg.Trust}); err == nil {
		t.Error("an issuer is ours and trusted at once")
	}
}

// AZ-09: roles come from the configured claim, which may lie deep; a wrong type gives none.
func TestRolesOfATrustedIssuer(t *testing.T) {
	r, _ := newTrust(t, jwksFile(t, attackerKey(), "k1"), func(c *TrustConfig) {
		c.RolesClaim, c.SubjectClaim = "realm_access.roles", "email"
		c.Roles = []RoleMap{{"a", []string{"a"}}, {"b", []string{"b", "c"}}, {"admin", []string{"root"}}}
	})
	for name, c := range map[string]struct {
		claim any
		want  int
	}{"list": {m{"roles": []string{"a", "b"}}, 2}, "one": {m{"roles": "a"}, 1}, "number": {m{"roles": 1}, 0},
		"mixed": {m{"roles": []any{"a", 1}}, 0}, "not an object": {[]string{"a"}, 0},
		"absent": {nil, 0}, "line": {m{"roles": []string{"a\r\nb"}}, 0}, "empty": {m{"roles": ""}, 0}} {
		p, err := r.verifier.Verify(t.Context(), theirToken(r.clock.now(), "k1",
			m{"email": "b@example.com", "realm_access": c.claim, "roles": []string{"admin"}}))
		if err != nil || len(p.Roles) != c.want || p.HasRole("admin") || p.UserID != theirIssuer+"|b@example.com" {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
}

// JW-03 OC-09 FAULTS 25: 10,000 unknown kids cost one fetch per half minute, and known keys go on working.
func TestFloodOfUnknownKeysIsOneFetch(t *testing.T) {
	i := newIDP(t, serve(jwks(map[string]*rsa.PrivateKey{"k1": attackerKey()})))
	r, trust := newTrust(t, i.URL, nil)
	r.accepted("first", theirToken(r.clock.now(), "k1", nil))
	var wg sync.WaitGroup
	for w := range 10 {
		wg.Go(func() {
			for n := range 1000 {
				if _, err := trust.key(t.Context(), header{alg: "RS256",
					kid: fmt.Sprint(w, "-", n)}); identity.CodeOf(err) != identity.CodeInvalidToken {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	r.clock.add(fetchGap)
	i.answer.Store(serve(jwks(map[string]*rsa.PrivateKey{"k1": attackerKey(), "k2": attackerKey()})))
	r.accepted("a new key after the gap", theirToken(r.clock.now(), "k2", nil))
	if n := i.fetches.Load(); n != 2 {
		t.Errorf("%d fetches", n)
	}
	r.refused("still unknown", theirToken(r.clock.now(), "k3", nil))
}

// OC-09: who waits for the same key waits for one fetch.
func TestManyWaitForOneFetch(t *testing.T) {
	release := make(chan struct{})
	i := newIDP(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		serve(jwks(map[string]*rsa.PrivateKey{"k1": attackerKey()}))(w, r)
	})
	_, trust := newTrust(t, i.URL, nil)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := trust.key(context.Background(), header{alg: "RS256", kid: "k1"}); err != nil {
				t.Error(err)
			}
		})
	}
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	wg.Wait()
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// FAULTS 25: cached keys are used for a day while the issuer is down, then no more; a withdrawn key ends within the
// hour.
func TestCachedKeysEnd(t *testing.T) {
	i := newIDP(t, serve(jwks(map[string]*rsa.PrivateKey{"k1": attackerKey()})))
	r, trust := newTrust(t, i.URL, nil)
	r.accepted("first", theirToken(r.clock.now(), "k1", nil))
	before := r.verifier.Generation()
	i.answer.Store(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	for range 23 {
		r.clock.add(time.Hour)
		r.accepted("issuer down", theirToken(r.clock.now(), "k1", nil))
		settle(trust)
	}
	r.clock.add(time.Hour)
	if _, err := r.verifier.Verify(t.Context(), theirToken(r.clock.now(), "k1",
		nil)); identity.CodeOf(err) != identity.CodeStateUnavailable {
		t.Errorf("after a day: %v", err)
	}
	i.answer.Store(serve(jwks(map[string]*rsa.PrivateKey{"k1": attackerKey()})))
	r.clock.add(fetchGap)
	r.accepted("issuer back", theirToken(r.clock.now(), "k1", nil))
	if r.verifier.Generation() != before {
		t.Error("the same keys made a new generation")
	}

	i.answer.Store(serve(jwks(map[string]*rsa.PrivateKey{"k2": attackerKey()})))
	r.clock.add(keysFresh)
	_, _ = trust.key(t.Context(), header{alg: "RS256", kid: "k1"}) // starts the fetch in the background
	settle(trust)
	r.refused("withdrawn", theirToken(r.clock.now(), "k1", nil))
	if r.verifier.Generation() == before {
		t.Error("other keys, same generation: cached tokens live on")
	}
}

// settle waits for the fetch under way.
func settle(t *Trust) {
	t.mu.Lock()
	flight := t.flight
	t.mu.Unlock()
	if flight != nil {
		<-flight
	}
}

// OC-09: a set that is too large, redirected elsewhere, endless, broken or not 200 gives no key, and no answer waits
// long.
func TestBrokenKeySourcesGiveNoKeys(t *testing.T) {
	elsewhere := newIDP(t, serve(jwks(map[string]*rsa.PrivateKey{"k1": attackerKey()})))
	good := jwks(map[string]*rsa.PrivateKey{"k1": attackerKey()})
	for name, answer := range map[string]http.HandlerFunc{
		"other host": func(w http.ResponseWriter,
			r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		},
		"endless redirects": func(w http.ResponseWriter,
			r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		},
		"2 MiB":   serve(good[:len(good)-1] + `,"x":"` + strings.Repeat("x", 2<<20) + `"}`),
		"no JSON": serve("<html>"), "404": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
	} {
		i := newIDP(t, answer)
		r, _ := newTrust(t, i.URL+"/a", nil)
		if _, err := r.verifier.Verify(t.Context(), theirToken(r.clock.now(), "k1",
			nil)); identity.CodeOf(err) != identity.CodeStateUnavailable {
			t.Errorf("%s: %v", name, err)
		}
		r.control() // local sign-in does not depend on it
	}
	if elsewhere.fetches.Load() != 0 {
		t.Error("a redirect to another host was followed")
	}
	i := newIDP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			http.Redirect(w, r, "/b", http.StatusFound)
			return
		}
		serve(good)(w, r)
	})
	r, _ := newTrust(t, i.URL+"/a", nil)
	r.accepted("redirect on the same host", theirToken(r.clock.now(), "k1", nil))
}

// FAULTS 25: an issuer that does not answer holds a request for a second at most.
func TestSlowIssuerHoldsARequestOneSecond(t *testing.T) {
	done := make(chan struct{})
	i := newIDP(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	defer close(done)
	r, _ := newTrust(t, i.URL, nil)
	start := time.Now()
	_, err := r.verifier.Verify(t.Context(), theirToken(r.clock.now(), "k1", nil))
	if identity.CodeOf(err) != identity.CodeStateUnavailable {
		t.Error(err)
	}
	timebound.Check(t, "giving up on a silent issuer", time.Since(start), 4*time.Second)
}

// JW-07 OC-09: settings that could not be safe are refused when they are read.
func TestTrustThatCannotBeSafeIsRefused(t *testing.T) {
	file := jwksFile(t, attackerKey(), "k1")
	weak := filepath.Join(t.TempDir(), "weak.json")
	if err := os.WriteFile(weak, []byte(jwks(map[string]*rsa.PrivateKey{"k": smallKey(t)})), 0o600); err != nil {
		t.Fatal(err)
	}
	good := TrustConfig{Issuer: theirIssuer, JWKS: file, Audience: []string{"a"}}
	for name, c := range map[string]struct {
		change func(*TrustConfig)
		ok     bool
	}{
		"file": {func(*TrustConfig) {}, true}, "https": {func(c *TrustConfig) { c.JWKS = "https://idp.example/jwks" }, true},
		"http on loopback":             {func(c *TrustConfig) { c.JWKS = "http://127.0.0.1:1/jwks" }, true},
		"http":                         {func(c *TrustConfig) { c.JWKS = "http://idp.example/jwks" }, false},
		"http on a name like loopback": {func(c *TrustConfig) { c.JWKS = "http://localhost.evil.example/jwks" }, false},
		"no issuer":                    {func(c *TrustConfig) { c.Issuer = "" }, false},
		"no audience":                  {func(c *TrustConfig) { c.Audience = nil }, false},
		"issuer with |":                {func(c *TrustConfig) { c.Issuer = "https://a|b" }, false},
		"no file":                      {func(c *TrustConfig) { c.JWKS = file + "x" }, false},
		"weak key":                     {func(c *TrustConfig) { c.JWKS = weak }, false},
	} {
		cfg := good
		c.change(&cfg)
		if _, err := NewTrust(cfg); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
