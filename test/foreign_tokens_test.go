package test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// otherIssuer is an issuer of tokens beside the gateway, with one key of each kind.
type otherIssuer struct {
	name string
	rsa  *rsa.PrivateKey
	ec   *ecdsa.PrivateKey
	ed   ed25519.PrivateKey
	jwks string // file
}

var otherKeys = sync.OnceValue(func() otherIssuer {
	var o otherIssuer
	var err error
	if o.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		panic(err)
	}
	if o.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		panic(err)
	}
	if _, o.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		panic(err)
	}
	return o
})

func newOtherIssuer(t testing.TB, name string) otherIssuer {
	t.Helper()
	o := otherKeys()
	o.name = name
	b64 := base64.RawURLEncoding.EncodeToString
	point, err := o.ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"r","use":"sig","alg":"RS256","n":%q,"e":"AQAB"},{"kty":"EC","crv":"P-256","kid":"e","use":"sig","x":%q,"y":%q},`+
		`{"kty":"OKP","crv":"Ed25519","kid":"d","use":"sig","x":%q}]}`, b64(o.rsa.N.Bytes()), b64(point[1:33]),
		b64(point[33:]), b64(o.ed.Public().(ed25519.PublicKey)))
	o.jwks = filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(o.jwks, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// trust writes a trust block with more lines.
func (o otherIssuer) trust(lines ...string) string {
	block := "\t\t\ttrust " + o.name + " {\n\t\t\t\tjwks " + o.jwks + "\n\t\t\t\taudience apps\n"
	for _, line := range lines {
		block += "\t\t\t\t" + line + "\n"
	}
	return block + "\t\t\t}\n"
}

func trusting(blocks ...string) string {
	return "\t\tjwt {\n\t\t\tprivate_key {env.JWT_PRIVATE_KEY_BASE64}\n" + strings.Join(blocks, "") + "\t\t}"
}

// without in a token's header or claims leaves a member out.
type without struct{}

// token signs an access token as RFC 9068 has it, with changes to its claims and header.
func (o otherIssuer) token(t testing.TB, alg string, claims, header map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	all := jwt.MapClaims{"iss": o.name, "aud": "apps", "sub": "42", "iat": now, "exp": now + 300, "jti": rand.Text(),
		"client_id": "c"}
	tok := jwt.NewWithClaims(jwt.GetSigningMethod(alg), all)
	key := map[string]crypto.PrivateKey{"RS256": o.rsa, "ES256": o.ec, "EdDSA": o.ed}[alg]
	tok.Header["typ"], tok.Header["kid"] = "at+jwt", map[string]string{"RS256": "r", "ES256": "e", "EdDSA": "d"}[alg]
	for change, into := range map[*map[string]any]map[string]any{&claims: all, &header: tok.Header} {
		for name, value := range *change {
			if into[name] = value; value == (without{}) {
				delete(into, name)
			}
		}
	}
	raw, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type jsonOf = map[string]any

// ED-11 AZ-09: a trusted issuer that says `roles: ["admin"]` gives none of this gateway's powers, and no role that a
// site asks for. Only what the operator maps counts, under our name for it.
func TestRolesOfATrustedIssuerGiveNothingUnlessMapped(t *testing.T) {
	plain, mapped := newOtherIssuer(t, "https://plain.test"), newOtherIssuer(t, "https://mapped.test")
	s := tell(t, plot{options: trusting(plain.trust(), mapped.trust("roles_claim groups", "role admin from ops root",
		"role member from staff")),
		sites: site("app.test", "\ttruxe {\n\t\tallow role member\n\t}\n\treverse_proxy UPSTREAM") + site("any.test",
			"\ttruxe\n\treverse_proxy UPSTREAM")})
	for name, c := range map[string]struct {
		issuer         otherIssuer
		claims         jsonOf
		admin, allowed bool
		groups         string
	}{
		"unmapped admin":               {plain, jsonOf{"roles": []string{"admin", "member"}}, false, false, ""},
		"their name that is also ours": {mapped, jsonOf{"groups": []string{"admin", "member"}}, false, false, ""},
		"another claim":                {mapped, jsonOf{"roles": []string{"ops", "staff"}}, false, false, ""},
		"permissions in the token": {mapped, jsonOf{"permissions": []string{"*", "truxe:users:write"}, "scope": "admin"},
			false, false, ""},
		"mapped to admin":  {mapped, jsonOf{"groups": []string{"root"}}, true, false, "admin"},
		"mapped to member": {mapped, jsonOf{"groups": []string{"other", "staff"}}, false, true, "member"},
		"mapped to both": {mapped, jsonOf{"groups": []string{"staff", "ops", "root"}}, true, true,
			"admin,member"},
		"another spelling of their own": {mapped, jsonOf{"groups": []string{"OPS", "staff "}}, false, false, ""},
	} {
		raw := c.issuer.token(t, "RS256", c.claims, nil)
		for _, call := range []string{"admin/policies", "admin/roles"} {
			if got := s.withBearer("any.test", raw).api(http.MethodGet, call, nil).status; (got == http.StatusOK) != c.admin {
				t.Errorf("%s: %s answers %d", name, call, got)
			}
		}
		if got := s.withBearer("app.test", raw).get("/x", program).status; (got == http.StatusOK) != c.allowed {
			t.Errorf("%s: the app answers %d", name, got)
		}
		s.withBearer("any.test", raw).get("/x", program).want(http.StatusOK)
		if got := s.up.Last().Get("Remote-Groups"); fmt.Sprint(got) != fmt.Sprint([]string{c.groups}) &&
			(c.groups != "" || len(got) != 0) {
			t.Errorf("%s: Remote-Groups %q, want %q", name, got, c.groups)
		}
	}
	root := s.login("any.test", "root", adminPassword) // control: our own administrator
	s.withBearer("any.test", root.Access).api(http.MethodGet, "admin/roles", nil).want(http.StatusOK)
}

// ED-11: a trusted issuer can name its users and clients as it likes; none of them is a user, a client or an assurance
// of this gateway, at no rule, no page and in no header.
func TestSubjectOfATrustedIssuerIsNoUserOfOurs(t *testing.T) {
	o, named := newOtherIssuer(t, "https://idp.test"), newOtherIssuer(t, "https://corp.test")
	s := tell(t, plot{options: "\t\tpolicies POLICIES\n" + trusting(o.trust(), named.trust("username_prefix none")),
		policies: []string{"p.yaml",
			"rules:\n  - { id: client, effect: allow, hosts: [client.test], to: { client: truxe } }\n" +
				"  - { id: acr, effect: allow, hosts: [acr.test], to: anyone_signed_in, when: 'user.acr == \"3\"' }\n" +
				"  - { id: theirs, effect: allow, hosts: [theirs.test], to: { client: \"https://idp.test|truxe\" } }\n" +
				"  - { id: rest, effect: allow, hosts: [any.test], to: anyone_signed_in }\n"},
		sites: site("any.test", "\ttruxe\n\treverse_proxy UPSTREAM") + site("user.test",
			"\ttruxe {\n\t\tallow user pia\n\t}\n\treverse_proxy UPSTREAM") +
			site("client.test", "\ttruxe\n\treverse_proxy UPSTREAM") + site("acr.test",
			"\ttruxe\n\treverse_proxy UPSTREAM") + site("theirs.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	pia := s.login("any.test", "pia", piaPassword)
	raw := o.token(t, "RS256", jsonOf{"sub": "pia", "preferred_username": "pia", "sid": pia.SessionID,
		"client_id": "truxe", "acr": "3", "email": "pia@example.com"}, nil)
	s.withBearer("any.test", raw).get("/x", program).want(http.StatusOK)
	seen := s.up.Last()
	for name, want := range map[string]string{"Remote-User": "https://idp.test|pia",
		"X-Truxe-User-Id": "https://idp.test|pia", "Remote-Email": "", "X-Truxe-Session": ""} {
		if got := strings.Join(seen.Get(name), "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, host := range []string{"user.test", "client.test", "acr.test"} {
		s.withBearer(host, raw).get("/x", program).want(http.StatusForbidden)
	}
	s.withBearer("user.test", pia.Access).get("/x", program).want(http.StatusOK)
	s.withBearer("theirs.test", raw).get("/x", program).want(http.StatusOK)
	byID := o.token(t, "RS256", jsonOf{"sub": pia.User.ID}, nil)
	for _, call := range []string{"sessions", "mfa/passkeys", "mfa/devices", "account/export"} {
		if a := s.withBearer("any.test", byID).api(http.MethodGet, call, nil); a.status == http.StatusOK {
			t.Errorf("%s of a subject that is an id of ours: %s", call, a.body)
		}
	}
	// the operator's own word: plain names
	s.withBearer("any.test", named.token(t, "RS256", jsonOf{"sub": "bob"}, nil)).get("/x", program).want(http.StatusOK)
	if got := strings.Join(s.up.Last().Get("Remote-User"), "|"); got != "bob" {
		t.Errorf("username_prefix none: Remote-User %q", got)
	}
}

// ED-24 JW-02 JW-10: tokens as common issuers make them pass where the operator names what is different about them, and
// nowhere else; each refusal is in the log, and under its reference, with its reason and without the token.
func TestTokensOfCommonIssuersAsTheyCome(t *testing.T) {
	strict, loose := newOtherIssuer(t, "https://strict.test"), newOtherIssuer(t, "https://loose.test")
	s := tell(t, plot{options: trusting(strict.trust(), loose.trust("typ at+jwt JWT", "alg RS256 ES256 EdDSA")),
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	for name, c := range map[string]struct {
		alg            string
		claims, header jsonOf
		reason         string // of the strict issuer's refusal
	}{
		"typ JWT, Keycloak":   {"RS256", jsonOf{"typ": "Bearer"}, jsonOf{"typ": "JWT"}, "typ"},
		"no typ, Cognito":     {"RS256", jsonOf{"token_use": "access"}, jsonOf{"typ": without{}}, "typ"},
		"ES256":               {"ES256", nil, nil, "ES256"},
		"EdDSA":               {"EdDSA", nil, nil, "EdDSA"},
		"no iat":              {"ES256", jsonOf{"iat": without{}}, jsonOf{"typ": "JWT"}, ""},
		"no kid and one key":  {"ES256", nil, jsonOf{"typ": "JWT", "kid": without{}}, ""},
		"no kid, our default": {"RS256", nil, jsonOf{"kid": without{}}, "kid"},
	} {
		if c.reason != "kid" {
			s.withBearer("app.test", loose.token(t, c.alg, c.claims, c.header)).get("/x", program).want(http.StatusOK)
		}
		raw := strict.token(t, c.alg, c.claims, c.header)
		p := s.withBearer("app.test", raw).get("/x", program).problem(http.StatusUnauthorized, "invalid_token")
		if c.reason == "" {
			continue
		}
		if out, _, _ := s.g.CLI("explain", p.Reference); !strings.Contains(out, c.reason) || strings.Contains(out, raw) {
			t.Errorf("%s: explain does not name %s: %s", name, c.reason, out)
		}
		if !strings.Contains(s.g.Log(), c.reason) {
			t.Errorf("%s: the log does not name %s", name, c.reason)
		}
	}
	for name, raw := range map[string]string{
		"an ID token (Keycloak)":   loose.token(t, "RS256", jsonOf{"typ": "ID"}, jsonOf{"typ": "JWT"}),
		"an ID token (Cognito)":    loose.token(t, "RS256", jsonOf{"token_use": "id"}, jsonOf{"typ": "JWT"}),
		"an ID token (at_hash)":    loose.token(t, "RS256", jsonOf{"at_hash": "x"}, jsonOf{"typ": "JWT"}),
		"a refresh token":          loose.token(t, "RS256", jsonOf{"typ": "Refresh"}, jsonOf{"typ": "JWT"}),
		"a logout token":           loose.token(t, "RS256", jsonOf{"events": jsonOf{}}, jsonOf{"typ": "JWT"}),
		"typ logout+jwt":           loose.token(t, "RS256", nil, jsonOf{"typ": "logout+jwt"}),
		"the EC key's kid":         loose.token(t, "RS256", nil, jsonOf{"kid": "e"}),
		"the RSA key's kid":        loose.token(t, "ES256", nil, jsonOf{"kid": "r"}),
		"ES256 that says RS256":    loose.token(t, "ES256", nil, jsonOf{"alg": "RS256", "kid": "r"}),
		"EdDSA that says ES256":    loose.token(t, "EdDSA", nil, jsonOf{"alg": "ES256", "kid": "e"}),
		"an alg of no kind":        loose.token(t, "ES256", nil, jsonOf{"alg": "none"}),
		"HS256 with the right kid": loose.token(t, "RS256", nil, jsonOf{"alg": "HS256"}),
	} {
		s.refusedToken(s.withBearer("app.test", raw).get("/x", program))
		if strings.Contains(s.g.Log(), raw[len(raw)-40:]) {
			t.Errorf("%s: the log has a part of the token", name)
		}
	}
	// a flood of one reason is a few lines
	before := strings.Count(s.g.Log(), "bearer token was refused")
	if before == 0 {
		t.Error("no refusal is logged")
	}
	bad := strict.token(t, "RS256", jsonOf{"aud": "others"}, nil)
	for range 200 {
		s.withBearer("app.test", bad).get("/x", program).want(http.StatusUnauthorized)
	}
	if lines := strings.Count(s.g.Log(), "bearer token was refused") - before; lines < 1 || lines > 5 {
		t.Errorf("200 refusals of one kind are %d lines", lines)
	}
	if log := s.g.Log(); strings.Contains(log, bad) || !strings.Contains(log, "aud") {
		t.Error("the log has the token, or not the reason")
	}
}

// ED-12: what the start would refuse of a trust block, `caddy validate` refuses, with the remedy.
func TestValidateRefusesTrustBlocksThatTheStartRefuses(t *testing.T) {
	o := newOtherIssuer(t, "https://idp.test")
	empty := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(empty, []byte(`{"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	roles := policyFolder(t, "p.yaml", "roles:\n  editor: { permissions: [\"orders:write\"] }\n")
	block := func(lines string) string {
		return "\t\tjwt {\n\t\t\ttrust https://idp.test {\n\t\t\t\t" + strings.ReplaceAll(lines, "; ",
			"\n\t\t\t\t") + "\n\t\t\t}\n\t\t}\n"
	}
	for name, c := range map[string]struct {
		options string
		says    []string
	}{
		"keys over plain http":    {block("jwks http://idp.test/jwks; audience apps"), []string{"https"}},
		"keys that are not there": {block("jwks /nowhere/jwks.json; audience apps"), []string{"/nowhere/jwks.json"}},
		"a set without a key":     {block("jwks " + empty + "; audience apps"), []string{"no usable", "RS256"}},
		"a set without a named alg": {block("jwks " + strings.Replace(o.jwks, "jwks", "jwks",
			1) + "; audience apps; alg PS256"), []string{"PS256", "ES256"}},
		"an unknown typ": {block("jwks " + o.jwks + "; audience apps; typ id+jwt"),
			[]string{"id+jwt", "at+jwt"}},
		"roles that nothing maps": {block("jwks " + o.jwks + "; audience apps; roles_claim groups"),
			[]string{"roles_claim", "role <ours> from <theirs"}},
		"a role without theirs": {block("jwks " + o.jwks + "; audience apps; role admin"),
			[]string{"role <ours> from <theirs"}},
		"an unknown role": {"\t\tpolicies " + roles + "\n" +
			block("jwks "+o.jwks+"; audience apps; role editr from ops"), []string{"editr", `"editor"`}},
		"an issuer twice": {"\t\tjwt {\n" + o.trust() + o.trust() + "\t\t}\n",
			[]string{"https://idp.test", "twice"}},
		"our own issuer": {"\t\tjwt {\n\t\t\tissuer https://idp.test\n" + o.trust() + "\t\t}\n",
			[]string{"https://idp.test", "own"}},
		"our own issuer, by its site": {"\t\tjwt {\n" + strings.Replace(o.trust(), "https://idp.test",
			"https://app.example.com", 1) + "\t\t}\n", []string{"https://app.example.com", "own"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, code, _ := rig.Validate(t, "{\n\ttruxe {\n"+c.options+"\t}\n}\napp.example.com {\n\ttruxe\n\trespond ok\n}\n")
			if code == 0 {
				t.Fatalf("taken: %s", out)
			}
			for _, word := range c.says {
				if !strings.Contains(strings.ReplaceAll(out, `\"`, `"`), word) {
					t.Errorf("%q is not in: %s", word, out)
				}
			}
		})
	}
	good := "{\n\ttruxe {\n" + trusting(o.trust("role admin from ops", "typ JWT", "alg ES256 EdDSA",
		"username_prefix corp:")) + "\n\t}\n}\napp.example.com {\n\ttruxe\n\trespond ok\n}\n"
	if out, code, _ := rig.Validate(t, good, ownKeyEnv()); code != 0 {
		t.Errorf("a good one is refused: %s", out)
	}
	// Where a site asks for a role, a trust block that gives none is worth a word.
	quiet := "{\n\ttruxe {\n" + trusting(o.trust()) +
		"\n\t}\n}\napp.example.com {\n\ttruxe {\n\t\tallow role staff\n\t}\n\trespond ok\n}\n"
	if out, code, _ := rig.Validate(t, quiet, ownKeyEnv()); code != 0 ||
		!strings.Contains(out, "role <ours> from <theirs") {
		t.Errorf("no warning (exit %d): %s", code, out)
	}
}
