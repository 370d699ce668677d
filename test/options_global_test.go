package test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the format of lists of breached passwords
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/truxeio/caddy-truxe/internal/mail/mailtest"
	"github.com/truxeio/caddy-truxe/test/rig"
)

// claims of an access token, as JSON.
func claims(token string) string {
	parts := strings.Split(token, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	return string(raw)
}

// tokenOf signs pia in at a host of a gateway.
func tokenOf(s *story, host string) func() string {
	return func() string { return claims(s.login(host, "pia", piaPassword).Access) }
}

// breached is a password that the list of setOptions has.
const breached = "correct horse battery staple"

// idp signs tokens of a trusted issuer.
type idp struct {
	issuer string
	method jwt.SigningMethod
	key    any
	file   string // its JWKS
}

func newIDP(t *testing.T, issuer string, method jwt.SigningMethod) *idp {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	i, public := &idp{issuer: issuer, method: method, file: filepath.Join(t.TempDir(), "jwks.json")}, ""
	switch method {
	case jwt.SigningMethodES256:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		i.key, public = key, fmt.Sprintf(`"kty":"EC","crv":"P-256","x":%q,"y":%q`, b64(point[1:33]), b64(point[33:]))
	case jwt.SigningMethodEdDSA:
		key, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		i.key, public = private, fmt.Sprintf(`"kty":"OKP","crv":"Ed25519","x":%q`, b64(key))
	default:
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		i.key, public = key, fmt.Sprintf(`"kty":"RSA","n":%q,"e":"AQAB"`, b64(key.N.Bytes()))
	}
	text := fmt.Sprintf(`{"keys":[{"kid":"k","use":"sig","alg":%q,%s}]}`, method.Alg(), public)
	if err := os.WriteFile(i.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return i
}

// token is signed by this issuer; it names itself as the issuer it is told to.
func (i *idp) token(t *testing.T, issuer, audience, typ string) string {
	t.Helper()
	now := time.Now().Unix()
	token := jwt.NewWithClaims(i.method, jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "42", "uid": "u-42",
		"groups": []string{"crew"},
		"roles":  []string{"other"}, "iat": now, "exp": now + 300, "jti": fmt.Sprint(time.Now().UnixNano()),
		"client_id": "c"})
	token.Header["kid"], token.Header["typ"] = "k", typ
	raw, err := token.SignedString(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

var stylesheet = regexp.MustCompile(`rel="stylesheet" href="([^"]+)"`)

// keyFile reports whether a gateway has generated an encryption key.
func keyFile(s *story) string {
	found, _ := filepath.Glob(filepath.Join(s.g.DataDir(), "truxe", "*.key"))
	return fmt.Sprint(len(found) > 0)
}

// hashes are the kinds of password hashes in a database.
func hashes(path string) string {
	found := ""
	for _, part := range []string{"", "-wal"} {
		raw, _ := os.ReadFile(path + part)
		for _, kind := range []string{"$2a$10$", "$2a$11$", "$2b$10$", "$2b$11$", "argon2id"} {
			if bytes.Contains(raw, []byte(kind)) {
				found += kind + " "
			}
		}
	}
	return found
}

// mails is what a mail server has got of a gateway that knows it.
func mails(t *testing.T, office *mailtest.Server, unknown bool) string {
	if unknown {
		return "0"
	}
	rig.WaitFor(t, 30*time.Second, "a mail", func() bool { return len(office.Inbox()) > 0 })
	out := fmt.Sprint(len(office.Inbox()))
	for _, m := range office.Inbox() {
		out += " " + m.EnvelopeFrom
	}
	return out
}

// setOptions are the global options that can be set together without changing how users sign in.
func setOptions(t *testing.T, plain *story) []optionRow {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	foreign, ec, ed := newIDP(t, "https://idp.test", jwt.SigningMethodRS256), newIDP(t, "https://ec.test",
		jwt.SigningMethodES256), newIDP(t, "https://ed.test", jwt.SigningMethodEdDSA)
	office := mailtest.Start(t, mailtest.Options{Port: rig.Port(t)})
	s := tell(t, plot{env: []string{"TRUXE_ENCRYPTION_KEY=" + freshKey()},
		options: "\t\tstorage sqlite " + filepath.Join(dir, "own.db") + "\n\t\tencryption_key {env.TRUXE_ENCRYPTION_KEY}\n" +
			"\t\tjwt {\n\t\t\tissuer https://issuer.test\n\t\t\taudience ours\n\t\t\taccess 7m\n\t\t\trefresh 1s\n\t\t\trotate 1s\n\t\t\tbits 3072\n" +
			"\t\t\ttrust https://idp.test {\n\t\t\t\tjwks " + foreign.file +
			"\n\t\t\t\taudience theirs\n\t\t\t\tsubject_claim uid\n\t\t\t\troles_claim groups\n\t\t\t\trole crew from crew\n\t\t\t\ttyp at+jwt\n\t\t\t\talg RS256\n\t\t\t}\n" +
			"\t\t\ttrust https://ec.test {\n\t\t\t\tjwks " + ec.file +
			"\n\t\t\t\taudience theirs\n\t\t\t\ttyp JWT\n\t\t\t\talg ES256\n\t\t\t\tusername_prefix none\n\t\t\t}\n" +
			"\t\t\ttrust https://ed.test {\n\t\t\t\tjwks " + ed.file +
			"\n\t\t\t\taudience theirs\n\t\t\t\talg EdDSA\n\t\t\t\tusername_prefix ed-\n\t\t\t}\n\t\t}\n" +
			"\t\tsession {\n\t\t\tmax 2h\n\t\t\tremember 3h\n\t\t\tlimit 1\n\t\t}\n" +
			"\t\tpassword {\n\t\t\tmin_length 12\n\t\t\tmin_length_with_mfa 10\n\t\t\thash bcrypt 11\n\t\t\tbreached " +
			write("breached.txt", fmt.Sprintf("%X:9\n", sha1.Sum([]byte(breached)))) + "\n\t\t}\n" + //nolint:gosec // as above
			"\t\tmfa required for role strict\n\t\tusers_file " + write("users.yaml",
			"users:\n  - username: ulla\n    email: ulla@example.com\n") + "\n" +
			"\t\tsmtp " + office.URL() + " {\n\t\t\tfrom \"Shop <shop@example.com>\"\n\t\t}\n\t\taudit {\n\t\t\tfile " +
			filepath.Join(dir, "audit.jsonl") + "\n\t\t}\n\t\tcors https://spa.test\n" +
			"\t\tbrand {\n\t\t\tname \"Corner shop\"\n\t\t\tlogo " + write("logo.svg",
			`<svg xmlns="http://www.w3.org/2000/svg"/>`) + "\n\t\t\taccent \"#7c3aed\"\n\t\t\tsupport help@example.com\n\t\t}",
		sites: site("bare.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	s.user("zoe", piaPassword, "strict")
	plain.user("zoe", piaPassword, "strict")
	both := func(see func(s *story) string) (with, without func() string) {
		return func() string { return see(s) }, func() string { return see(plain) }
	}
	row := func(id, want string, see func(s *story) string) optionRow {
		with, without := both(see)
		return optionRow{id: "global " + id, with: with, without: without, want: want}
	}
	file := func(path string) func(*story) string {
		return func(s *story) string {
			at := path
			if s == plain {
				at = filepath.Join(s.g.DataDir(), "truxe", "none", filepath.Base(path))
			}
			text, err := os.ReadFile(at)
			return fmt.Sprint(err == nil, len(text) > 0)
		}
	}
	database := func(s *story) string {
		if s == plain {
			return hashes(filepath.Join(s.g.DataDir(), "truxe", "truxe.db"))
		}
		return hashes(filepath.Join(dir, "own.db"))
	}
	answers := func(token func() string) func(*story) string {
		return func(s *story) string {
			return s.withBearer("bare.test", token()).look(http.MethodGet, "/", "", program)
		}
	}
	token := func(i *idp, issuer, audience, typ string) func() string {
		return func() string { return i.token(t, issuer, audience, typ) }
	}
	theirs, others := token(foreign, foreign.issuer, "theirs", "at+jwt"), token(foreign, foreign.issuer, "truxe", "at+jwt")
	ofEC, ofED := token(ec, ec.issuer, "theirs", "JWT"), token(ed, ed.issuer, "theirs", "at+jwt")
	// trusted is a token that counts beside one that does not, both of this gateway's issuers
	trusted := func(id string, good, bad func() string) optionRow {
		return optionRow{id: "global jwt trust " + id, with: func() string { return answers(good)(s) },
			without: func() string { return answers(bad)(s) }, want: `^200`}
	}
	login := func(s *story) string { return s.bare("bare.test").get("/.truxe/login", navigate).body }
	signedIn := func(more ...string) func(*story) string {
		return func(s *story) string {
			v := s.browser("bare.test")
			line := v.tryForm("/.truxe/login", "pia", piaPassword, more...).want(http.StatusSeeOther).setsCookie("__Host-truxe")
			var state struct{ Expires string }
			v.api(http.MethodGet, "session", nil).json(&state)
			end, _ := time.Parse(time.RFC3339, state.Expires)
			return fmt.Sprintf("%s; lives %v", line, time.Until(end).Round(time.Hour))
		}
	}
	modulus := func(s *story) string {
		var set struct{ Keys []struct{ N string } }
		s.bare("bare.test").get("/.truxe/jwks.json").json(&set)
		out := ""
		for _, k := range set.Keys {
			n, _ := base64.RawURLEncoding.DecodeString(k.N)
			out += fmt.Sprintf("%d bits, imported %v; ", 8*len(n), new(big.Int).SetBytes(n).Cmp(ownKey().N) == 0)
		}
		return out
	}
	adds := func(name, password string) func(*story) string {
		return func(s *story) string {
			out, code := s.addUser(name, password)
			return fmt.Sprintf("exit %d %s", code, out)
		}
	}
	shortest := func(s *story) string {
		f := s.withTOTP("bare.test", "mia")
		v := f.browser()
		return v.get("/.truxe/account/password", navigate).body
	}
	imported := row("jwt private_key", `imported true`, modulus)
	imported.with, imported.without = imported.without, imported.with // the plain gateway has it
	return []optionRow{
		row("storage sqlite", `true true`, file(filepath.Join(dir, "own.db"))),
		{id: "global encryption_key", gone: "true", with: func() string { return keyFile(s) },
			without: func() string { return keyFile(plain) }},
		row("jwt issuer", `"iss":"https://issuer.test"`, func(s *story) string { return tokenOf(s, "bare.test")() }),
		row("jwt audience", `"aud":(\[)?"ours"`, func(s *story) string { return tokenOf(s, "bare.test")() }),
		row("jwt access", `^420$`,
			func(s *story) string { return fmt.Sprint(s.login("bare.test", "pia", piaPassword).ExpiresIn) }),
		row("jwt refresh", `^400`, func(s *story) string {
			refresh := s.login("bare.test", "pia", piaPassword).Refresh
			time.Sleep(1100 * time.Millisecond) // beyond the life that is set
			return s.bare("bare.test").look(http.MethodPost, "/.truxe/api/v1/token",
				values("grant_type", "refresh_token", "refresh_token", refresh), sendsForm)
		}),
		row("jwt bits", `3072 bits`, modulus),
		imported,
		row("jwt trust", `^200`, answers(theirs)),
		row("jwt trust jwks", `^200`, answers(theirs)),
		trusted("audience", theirs, others),
		row("jwt trust role from", `Remote-Groups: crew\r`, answers(theirs)),
		trusted("typ at+jwt", theirs, token(foreign, foreign.issuer, "theirs", "JWT")),
		trusted("typ JWT", ofEC, token(foreign, foreign.issuer, "theirs", "JWT")),
		trusted("alg RS256", theirs, token(foreign, ec.issuer, "theirs", "JWT")),
		trusted("alg ES256", ofEC, token(ec, foreign.issuer, "theirs", "at+jwt")),
		trusted("alg EdDSA", ofED, token(ed, foreign.issuer, "theirs", "at+jwt")),
		row("jwt trust username_prefix", `Remote-User: ed-42\r`, answers(ofED)),
		row("jwt trust username_prefix none", `Remote-User: 42\r`, answers(ofEC)),
		row("jwt trust subject_claim", `X-Truxe-User-Id: https://idp.test\|u-42\r`, answers(theirs)),
		row("jwt trust roles_claim", `Remote-Groups: crew\r`, answers(theirs)),
		row("session max", `lives 2h`, signedIn()),
		row("session remember", `Max-Age=10800;.*lives 3h`, signedIn("remember", "on")),
		row("session limit", `^first 401`, func(s *story) string {
			first := s.browser("bare.test")
			first.signIn("pia", piaPassword)
			s.browser("bare.test").signIn("pia", piaPassword)
			return "first " + first.look(http.MethodGet, "/", "", program)
		}),
		row("password min_length", `^exit 0`, adds("nat", "quiet otters")),
		row("password min_length_with_mfa", `minlength="?10`, shortest),
		row("password hash bcrypt", `\$2[ab]\$11\$`, database),
		row("password breached", `exit 1.*breach`, adds("bea", breached)),
		row("mfa required for role", `mfa_required.*authenticated`, func(s *story) string {
			out := ""
			for _, name := range []string{"zoe", "pia"} {
				out += s.bare("bare.test").api(http.MethodPost, "login",
					map[string]string{"username": name, "password": piaPassword}).body
			}
			return out
		}),
		row("users_file", `^0 .*ulla`, func(s *story) string {
			out, _, code := s.g.CLI("users", "show", "ulla")
			return fmt.Sprint(code, " ", out)
		}),
		row("smtp", `^[1-9]`, func(s *story) string { return mails(t, office, s == plain) }),
		row("smtp from", `shop@example.com`, func(s *story) string { return mails(t, office, s == plain) }),
		row("audit file", `true true`, file(filepath.Join(dir, "audit.jsonl"))),
		row("cors", `Access-Control-Allow-Origin: https://spa.test`, func(s *story) string {
			return s.bare("bare.test").look(http.MethodGet, "/", "", fetch, []string{"Origin", "https://spa.test"})
		}),
		row("brand name", `Corner shop</title>`, login),
		row("brand logo", `<img[^>]+src="/.truxe/assets/[^"]*svg"`, login),
		row("brand accent", `(?i)#7c3aed`, func(s *story) string {
			v := s.bare("bare.test")
			return v.get(stylesheet.FindStringSubmatch(login(s))[1]).body
		}),
		row("brand support", `help@example.com`, login),
		row("jwt rotate", `^([2-9]|\d\d)`, func(s *story) string { // last: it starts the gateways again
			s.g.Restart()
			var list struct{ Items []json.RawMessage }
			if err := json.Unmarshal([]byte(s.cli("keys", "list", "-o", "json")), &list); err != nil {
				return err.Error()
			}
			return fmt.Sprint(len(list.Items))
		}),
	}
}
