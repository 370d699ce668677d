package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// atPortal sends a request to the gateway's own URLs.
func atPortal(g *Gateway, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://app.test/.truxe/"+path, strings.NewReader(body))
	r.TLS.HandshakeComplete = true
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	g.portal.Serve(w, r, authn.Client{Addr: "127.0.0.1"}, false)
	return w
}

// noCluster is a shared store that does not answer for tickets.
type noCluster struct{ cluster.Cluster }

func (noCluster) Pop(context.Context, string) ([]byte, bool, error) {
	return nil, false, errors.New("the store is down")
}

// SE-10: whoever works on the gateway's own pages and API uses the session. Asking for its state does not.
func TestOwnPagesAreUseOfTheSession(t *testing.T) {
	p := promote(t)
	g := p.Gateway
	for path, uses := range map[string]int{"account": 1, "account/sessions": 1, "api/v1/sessions": 1, "": 1,
		"api/v1/session": 0, "api/v1/userinfo": 0,
		"api/v1/check?method=GET&path=/": 0, "jwks.json": 0} {
		cookie, _ := signIn(t, g)
		if err := g.engine.sessions.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		p.ahead += time.Minute // the sign-in itself is a use too
		p.mu.Unlock()
		if w := atPortal(g, http.MethodGet, path, "", "Cookie", cookie); w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		if n := g.engine.sessions.Waiting(); n != uses {
			t.Errorf("%q: %d uses of the session, want %d", path, n, uses)
		}
	}
}

// SE-02 SE-05: a callback that first gets the session a new secret is sent once more, with its ticket, so the ticket
// must be good then. One in another browser uses it up.
func TestRenewalKeepsTheTicketOfACallback(t *testing.T) {
	p := promote(t)
	sent, _ := signIn(t, p.Gateway)
	entry, err := p.gate.Verifier.Sessions.Find(t.Context(), strings.TrimPrefix(sent, authn.SessionCookie+"="),
		"app.test")
	if err != nil {
		t.Fatal(err)
	}
	p.roles(identity.AdminRole, "auditor")
	ticket := func() string {
		t.Helper()
		code, err := p.signin.Tickets.Issue(t.Context(), entry.Principal, "app.test", [32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	good := func(code string) bool {
		t.Helper()
		_, ok, err := session.Tickets{Moments: p.engine.cluster}.Redeem(t.Context(), code, "app.test", [32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	code := ticket()
	w := atPortal(p.Gateway, http.MethodGet, "callback?ticket="+url.QueryEscape(code), "", "Cookie", sent,
		"Sec-Fetch-Mode", "navigate")
	if w.Code != http.StatusFound || !strings.HasPrefix(w.Header().Get("Location"), "?ticket=") {
		t.Fatalf("the session was not renewed: %d %v", w.Code, w.Header())
	}
	if !good(code) {
		t.Error("the ticket is used up before the browser comes back with it")
	}
	code = ticket()
	atPortal(p.Gateway, http.MethodGet, "callback?ticket="+url.QueryEscape(code), "", "Sec-Fetch-Mode", "navigate")
	if good(code) {
		t.Error("control: a ticket that another browser has seen is still good")
	}
}

// JW-03: a token of a trusted issuer that is down, sent along as programs do, blocks no call that needs no caller.
// Where the caller matters the answer is 503.
func TestTrustedIssuerThatIsDownBlocksNoSignIn(t *testing.T) {
	down := httptest.NewTLSServer(http.NotFoundHandler())
	down.Close()
	g := startWith(t, Config{Now: time.Now, JWT: JWT{Trust: []Trust{{Issuer: "https://idp.test", JWKS: down.URL,
		Audience: []string{"apps"}}}}})
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	now := time.Now().Unix()
	theirs := "Bearer " + part(`{"alg":"RS256","typ":"at+jwt","kid":"k"}`) + "." +
		part(fmt.Sprintf(`{"iss":"https://idp.test","sub":"bob","aud":"apps","iat":%d,"exp":%d,"jti":"j","client_id":"c"}`,
			now, now+300)) + "." + part(strings.Repeat("s", 256))
	signed, err := g.signin.SignIns.WithPassword(t.Context(),
		signin.PasswordTry{Login: testUser, Password: testPassword, Address: netip.MustParseAddr("127.0.0.1"), Kind: "api",
			By: change.By{Host: "app.test"}})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := g.signin.Tokens.Start(t.Context(), change.By{Host: "app.test"}, signed.Session, signed.User, "truxe")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, path, body, media string
		want                      int
	}{
		"sign-in": {"POST", "api/v1/login", `{"username":"alice","password":"` + testPassword + `"}`,
			"application/json", http.StatusOK},
		"refresh": {"POST", "api/v1/token", url.Values{"grant_type": {"refresh_token"},
			"refresh_token": {tokens.Refresh}}.Encode(), "application/x-www-form-urlencoded", http.StatusOK},
		"the login page":   {"GET", "login", "", "", http.StatusOK},
		"its own sign-out": {"POST", "api/v1/logout", "", "", http.StatusServiceUnavailable},
		"who it is":        {"GET", "api/v1/session", "", "", http.StatusServiceUnavailable},
		"an account":       {"GET", "api/v1/userinfo", "", "", http.StatusServiceUnavailable},
	} {
		header := []string{"Authorization", theirs}
		if c.media != "" {
			header = append(header, "Content-Type", c.media)
		}
		if w := atPortal(g, c.method, c.path, c.body, header...); w.Code != c.want {
			t.Errorf("%s: %d %.300s, want %d", name, w.Code, w.Body, c.want)
		}
	}
}

// R14: while the shared store is down, callbacks of anonymous requests write one line a minute, not one each.
func TestCallbacksWhileTheStoreIsDownDoNotFillTheLog(t *testing.T) {
	log := &lines{}
	g := startWith(t, Config{Now: time.Now, Logger: slog.New(slog.NewTextHandler(log, nil))})
	g.engine.cluster = noCluster{g.engine.cluster}
	if err := g.build(); err != nil {
		t.Fatal(err)
	}
	code := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for range 100 {
		atPortal(g, http.MethodGet, "callback?ticket="+code, "")
	}
	if n := log.count("could not use up a ticket"); n != 1 {
		t.Errorf("%d log lines of 100 callbacks, want 1", n)
	}
}
