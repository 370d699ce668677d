package test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/truxeio/caddy-truxe/test/rig"
)

const assertionName = "X-Truxe-Jwt-Assertion"

// asserted are two apps that get assertions, one that gets nothing else, one that gets none, and one behind another
// proxy.
var asserted = share(plot{
	global: "\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}",
	sites: site("one.test", "\ttruxe {\n\t\tpublic /open/*\n\t\tassertion on\n\t}\n\treverse_proxy UPSTREAM") +
		site("two.test", "\ttruxe {\n\t\tassertion on\n\t\theaders none\n\t}\n\treverse_proxy UPSTREAM") +
		site("none.test", "\ttruxe {\n\t\tpublic /open/*\n\t}\n\treverse_proxy UPSTREAM") +
		site("part.test", "\ttruxe /in/* {\n\t\tassertion on\n\t}\n\treverse_proxy UPSTREAM") +
		site("verify.test, app.test",
			"\ttruxe forward_auth {\n\t\thosts app.test\n\t\tpublic /open/*\n\t\tassertion on\n\t}"),
})

// believe does what an app does: fetch the published keys of its own host, take RS256 alone, and look at issuer and
// audience.
func (s *story) believe(raw, host string) (jwt.MapClaims, error) {
	var set struct {
		Keys []struct{ KID, KTY, N, E string }
	}
	s.bare(host).get("/.truxe/jwks.json", program).want(http.StatusOK).json(&set)
	issuer := s.origin(host)
	if host == "app.test" { // browsers reach it at the other proxy, on the port of https
		issuer = "https://app.test"
	}
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithAudience(host), jwt.WithIssuer(issuer)).
		ParseWithClaims(raw, claims, func(t *jwt.Token) (any, error) {
			for _, k := range set.Keys {
				n, err := base64.RawURLEncoding.DecodeString(k.N)
				if err == nil && k.KID == t.Header["kid"] && k.KTY == "RSA" && k.E == "AQAB" &&
					t.Header["typ"] == "truxe-assertion+jwt" {
					return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, nil
				}
			}
			return nil, jwt.ErrTokenUnverifiable
		})
	return claims, err
}

// HD-04 MF-21: each app gets an assertion for itself alone, which verifies with the keys that are published over HTTP
// and tells what the headers tell; cookie and token alike.
func TestEachAppGetsAnAssertionForItself(t *testing.T) {
	s := asserted.open(t)
	got := map[string]string{}
	tokens := s.login("one.test", "pia", piaPassword)
	for _, host := range []string{"one.test", "two.test"} {
		pia := s.browser(host)
		pia.signIn("pia", piaPassword)
		for who, v := range map[string]*visitor{"cookie": pia, "token": s.withBearer(host, tokens.Access)} {
			before := time.Now()
			v.get("/x", program).want(http.StatusOK)
			values := s.up.Last().Get(assertionName)
			if len(values) != 1 {
				t.Fatalf("%s, %s: %q", host, who, values)
			}
			claims, err := s.believe(values[0], host)
			if err != nil {
				t.Fatalf("%s, %s: %v", host, who, err)
			}
			exp, iat := claims["exp"].(float64), claims["iat"].(float64)
			if exp-iat > 120 || exp-float64(before.Unix()) < 60 || claims["preferred_username"] != "pia" ||
				claims["sub"] != tokens.User.ID || claims["acr"] != "1" ||
				fmt.Sprint(claims["roles"], claims["amr"]) != "[member] [pwd]" || claims["email"] != "pia@example.com" ||
				claims["auth_time"] == nil || claims["mfa_time"] != nil {
				t.Errorf("%s, %s: %v", host, who, claims)
			}
			if sid := s.up.Last().Get("X-Truxe-Session"); host == "one.test" && (len(sid) != 1 || claims["sid"] != sid[0]) {
				t.Errorf("%s: sid %v beside %v", who, claims["sid"], sid)
			}
			got[host+who] = values[0]
		}
		if len(s.up.Last().Get("Remote-User")) > 0 != (host == "one.test") {
			t.Errorf("%s: Remote-User %v", host, s.up.Last().Get("Remote-User"))
		}
	}
	if _, err := s.believe(got["one.testcookie"], "two.test"); err == nil {
		t.Error("the assertion for one app passes at another")
	}
	// JW-10: an assertion does not sign in
	for _, host := range []string{"one.test", "two.test"} {
		s.refusedToken(s.withBearer(host, got["one.testcookie"]).get("/x", program))
		s.bare(host).get("/x", program, []string{"Cookie", "__Host-truxe=" +
			got["one.testcookie"]}).want(http.StatusUnauthorized)
	}
}

// HD-01 HD-04: an assertion that a client brings, a true one of another user included, never arrives: on no path, in no
// spelling, not as a trailer; and Connection cannot take away ours.
func TestAssertionOfAClientNeverArrives(t *testing.T) {
	s := asserted.open(t)
	s.user("otto", "gravel roads after rain", "member")
	otto := s.browser("one.test")
	otto.signIn("otto", "gravel roads after rain")
	otto.get("/x", program).want(http.StatusOK)
	stolen := s.up.Last().Get(assertionName)[0]
	pia := s.browser("one.test")
	pia.signIn("pia", piaPassword)
	for _, name := range []string{assertionName, "x-truxe-jwt-assertion", "X_Truxe_Jwt_Assertion", "X-Truxe_Jwt.Assertion",
		"X+TRUXE+JWT+ASSERTION"} {
		forged := []string{name, stolen, "Connection", "close, " + assertionName}
		for _, at := range []struct{ host, path string }{{"one.test", "/open/x"}, {"none.test", "/open/x"},
			{"part.test", "/out/x"}} {
			s.bare(at.host).get(at.path, program, forged).want(http.StatusOK)
			if seen := s.up.Last(); strings.Contains(seen.Raw, stolen) || strings.Contains(strings.ToLower(seen.Raw), "jwt") {
				t.Errorf("%s%s, %s: the app got %s", at.host, at.path, name, seen.Raw)
			}
		}
		pia.get("/x", program, forged).want(http.StatusOK)
		seen := s.up.Last()
		if own := seen.Get(assertionName); strings.Contains(seen.Raw, stolen) || len(own) != 1 {
			t.Errorf("%s: the app got %s", name, seen.Raw)
		} else if claims, err := s.believe(own[0], "one.test"); err != nil || claims["preferred_username"] != "pia" {
			t.Errorf("%s: %v %v", name, claims, err)
		}
	}
	conn := s.g.RawTLS("one.test")
	defer conn.Close()
	s.up.Forget()
	_, err := fmt.Fprintf(conn,
		"POST /open/x HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Other\r\n\r\n1\r\na\r\n0\r\nX-Other: 1\r\n%s: %s\r\n\r\n", assertionName, stolen)
	if err != nil {
		t.Fatal(err)
	}
	rig.WaitFor(t, 5*time.Second, "the request with a trailer", func() bool { return len(s.up.Seen()) == 1 })
	if seen := s.up.Last(); strings.Contains(seen.Raw, stolen) {
		t.Errorf("as a trailer the app got %s", seen.Raw)
	}
}

// HD-04 R4: after a sign-out or a revocation no request comes with an assertion; without a session there is none.
func TestRevokedSessionGetsNoAssertion(t *testing.T) {
	s := asserted.open(t)
	s.user("rosa", "gravel roads after rain", "member")
	rosa := s.browser("one.test")
	rosa.signIn("rosa", "gravel roads after rain")
	token := s.login("one.test", "rosa", "gravel roads after rain").Access
	for _, v := range []*visitor{rosa, s.withBearer("one.test", token)} {
		v.get("/open/x", program).want(http.StatusOK)
		if got := s.up.Last().Get(assertionName); len(got) != 1 || got[0] == "" {
			t.Fatalf("on a public path a signed-in visitor has %q", got)
		}
	}
	s.cli("sessions", "revoke", "--user", "rosa", "--yes")
	rig.WaitFor(t, time.Second, "the session is refused",
		func() bool { return rosa.get("/x", program).status == http.StatusUnauthorized })
	s.refusedToken(s.withBearer("one.test", token).get("/x", program))
	rosa.get("/open/x", program).want(http.StatusOK)
	if got := s.up.Last().Get(assertionName); len(got) != 0 {
		t.Errorf("after the revocation: %q", got)
	}
}

// HD-06 HD-04: the other proxy gets the assertion for the app's host, or an empty one to overwrite the client's with.
func TestForwardAuthCarriesTheAssertion(t *testing.T) {
	s := asserted.open(t)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	proxy := s.bare("verify.test")
	proxy.cookie = "__Host-truxe=" + pia.session()
	for _, headers := range [][]string{asked("GET", "app.test", "/x"),
		{"X-Original-Method", "GET", "X-Original-Url", "https://app.test/x"}} {
		a := proxy.get(endpoint, headers, program, []string{assertionName, "forged"}).want(http.StatusOK)
		if claims, err := s.believe(a.header.Get(assertionName), "app.test"); err != nil ||
			claims["preferred_username"] != "pia" || len(a.header[assertionName]) != 1 {
			t.Errorf("%v: %v %v", headers, a.header[assertionName], err)
		}
	}
	a := s.bare("verify.test").get(endpoint, asked("GET", "app.test", "/open/x"), program,
		[]string{assertionName, "forged"}).want(http.StatusOK)
	if got, there := a.header[assertionName]; !there || len(got) != 1 || got[0] != "" {
		t.Errorf("for an anonymous request: %q", got)
	}
}

// HD-04, DESIGN style 8: the app of docs/reference/headers.md, built and run as it is there except for its addresses,
// believes the gateway only.
func TestAppOfTheDocumentsBelievesTheGatewayAlone(t *testing.T) {
	text := readDocs(t, rig.Root())["docs/reference/headers.md"]
	blocks := blocksOf("headers.md", text)
	at := slices.IndexFunc(blocks, func(b block) bool { return b.lang == "go" })
	if at < 0 {
		t.Fatal("the document shows no app")
	}
	s := tell(t, plot{sites: site("localhost",
		"\ttruxe {\n\t\tassertion on\n\t}\n\treverse_proxy 127.0.0.1:{{port \"app\"}}") +
		site("other.test", "\ttruxe {\n\t\tassertion on\n\t}\n\treverse_proxy UPSTREAM")})
	address := "127.0.0.1:" + strconv.Itoa(s.g.Port("app"))
	source := strings.NewReplacer("https://app.example.com", s.origin("localhost"), "app.example.com", "localhost",
		"127.0.0.1:3000", address).Replace(blocks[at].text)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "app"), filepath.Join(dir, "main.go"))
	build.Dir = rig.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}
	app := exec.Command(filepath.Join(dir, "app"))
	app.Env = append(os.Environ(), "SSL_CERT_FILE="+s.g.RootFile())
	rig.Serve(t, s.g.Port("app"), app)
	direct := func(headers ...string) (int, string) {
		v := s.bare("localhost")
		v.c = &http.Client{Timeout: 10 * time.Second}
		a, err := v.try(http.MethodGet, "http://"+address+"/", "", headers)
		if err != nil {
			return 0, err.Error()
		}
		return a.status, a.body
	}

	pia := s.browser("localhost")
	pia.signIn("pia", piaPassword)
	if a := pia.get("/", program,
		[]string{assertionName, "forged"}).want(http.StatusOK); a.body != "Hello pia [member]\n" {
		t.Errorf("it says %q", a.body)
	}
	other := s.browser("other.test")
	other.signIn("pia", piaPassword)
	other.get("/", program).want(http.StatusOK)
	elsewhere := s.up.Last().Get(assertionName)[0]
	var claims jwt.MapClaims
	if raw, err := base64.RawURLEncoding.DecodeString(strings.Split(elsewhere, ".")[1]); err != nil ||
		json.Unmarshal(raw, &claims) != nil {
		t.Fatal(err)
	}
	claims["aud"], claims["iss"] = "localhost", s.origin("localhost")
	own := func(method jwt.SigningMethod, key any) string {
		tok := jwt.NewWithClaims(method, claims)
		tok.Header["typ"], tok.Header["kid"] = "truxe-assertion+jwt", headerOf(t, elsewhere)["kid"]
		signed, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	if status, body := direct(assertionName, own(jwt.SigningMethodRS256, ownKey())); status != http.StatusOK {
		t.Fatalf("control, signed with the gateway's key: %d %s", status, body)
	}
	for name, forged := range map[string]string{
		"none": "", "no JWT": "x", "of another app": elsewhere,
		"access token":  s.login("localhost", "pia", piaPassword).Access,
		"unsigned":      own(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"shared secret": own(jwt.SigningMethodHS256, []byte("secret")), "other RSA": own(jwt.SigningMethodPS256, ownKey()),
	} {
		if status, body := direct(assertionName, forged, "Remote-User", "pia"); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	claims["exp"] = time.Now().Add(-time.Second).Unix()
	if status, _ := direct(assertionName, own(jwt.SigningMethodRS256, ownKey())); status != http.StatusUnauthorized {
		t.Errorf("ended: %d", status)
	}
}

func headerOf(t *testing.T, raw string) map[string]any {
	t.Helper()
	tok, _, err := jwt.NewParser().ParseUnverified(raw, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return tok.Header
}
