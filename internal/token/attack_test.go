package token

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

type attempt struct {
	name  string
	token string
	want  string // "refuse" (default), "accept", "either"
}

func tries(tokens ...string) []attempt {
	var list []attempt
	for i, raw := range tokens {
		list = append(list, attempt{name: fmt.Sprint(i + 1), token: raw})
	}
	return list
}

// atHTTP are the cases that say nothing about the token itself; the gateway's own tests send them.
var atHTTP = map[string]bool{"fmt-bearer-scheme": true, "fmt-query-parameter": true, "fmt-form-body": true,
	"clm-access-in-cookie": true, "clm-jti-revoked": true}

// JW-01 JW-02 JW-03 JW-04 JW-05 JW-06 JW-08 JW-09 JW-10 JW-11 JW-15: every attack of the matrix, signed by our own key
// where the case does not say otherwise, is refused; between the attacks a good token passes.
func TestEveryForgedTokenOfTheMatrixIsRefused(t *testing.T) {
	raw, err := os.ReadFile("testdata/attack_matrix.json")
	if err != nil {
		t.Fatal(err)
	}
	var matrix struct {
		Cases []struct{ ID, Mutation string }
	}
	if err := json.Unmarshal(raw, &matrix); err != nil || len(matrix.Cases) < 70 {
		t.Fatal("matrix:", err, len(matrix.Cases))
	}
	r := newRig(t)
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer listener.Close()
	attacks := attacks(r, listener.Addr().String())
	for _, c := range matrix.Cases {
		if atHTTP[c.ID] {
			continue
		}
		list := attacks[c.ID]
		if len(list) == 0 {
			t.Errorf("%s is not tried: %s", c.ID, c.Mutation)
		}
		for _, a := range list {
			switch a.want {
			case "":
				r.refused(c.ID+" "+a.name, a.token)
			case "accept":
				r.accepted(c.ID+" "+a.name, a.token)
			default:
				p, err := r.verifier.Verify(context.Background(), a.token)
				if err == nil && p.HasRole("admin") {
					t.Errorf("%s %s: role admin is held", c.ID, a.name)
				}
			}
		}
	}
	// JW-03: no connection was made to what a header names.
	if err := listener.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if conn, err := listener.Accept(); err == nil {
		conn.Close()
		t.Error("a token made the gateway open a connection")
	}
}

func attacks(r *rig, listener string) map[string][]attempt {
	t := r.t
	header, claims := r.good()
	kid := header["kid"].(string)
	key, evil := ourKey(), attackerKey()
	now := r.clock.now().Unix()
	head := func(change m) string { return sign(key, with(header, change), claims) }
	claim := func(change m) string { return sign(key, header, with(claims, change)) }
	original := r.issue()
	signature := original[strings.LastIndex(original, ".")+1:]

	// three are the signatures the alg cases ask for.
	three := func(change m) []attempt {
		h := with(header, change)
		input := enc(h) + "." + enc(claims)
		return tries(input+".", input+"."+signature, sign(key, h, claims))
	}
	spki := must(x509.MarshalPKIXPublicKey(&key.PublicKey))(t)
	pemSPKI := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	pemPKCS1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)})
	jwkText, _ := json.Marshal(publicJWK(&key.PublicKey, kid))
	modulus := key.N.Bytes()
	hs := func(alg string, hash crypto.Hash, secret []byte) []attempt {
		return tries(mac(hash, secret, with(header, m{"alg": alg}), claims))
	}
	swap := func(alg string, hash crypto.Hash, pss bool) []attempt {
		input := enc(with(header, m{"alg": alg})) + "." + enc(claims)
		h := hash.New()
		h.Write([]byte(input))
		var sig []byte
		if pss {
			sig = must(rsa.SignPSS(rand.Reader, key, hash, h.Sum(nil), nil))(t)
		} else {
			sig = must(rsa.SignPKCS1v15(nil, key, hash, h.Sum(nil)))(t)
		}
		return tries(input + "." + enc(sig))
	}
	headJSON, _ := json.Marshal(header)
	claimsJSON, _ := json.Marshal(claims)
	rawClaims := func(old, with string) string {
		if !bytes.Contains(claimsJSON, []byte(old)) {
			t.Fatalf("claims have no %s", old)
		}
		return sign(key, header, strings.Replace(string(claimsJSON), old, with, 1))
	}
	var deflated bytes.Buffer
	w, _ := flate.NewWriter(&deflated, 9)
	_, _ = w.Write(claimsJSON)
	_ = w.Close()
	wide := utf16.Encode([]rune(string(headJSON)))
	var le, be []byte
	for _, u := range wide {
		le, be = append(le, byte(u), byte(u>>8)), append(be, byte(u>>8), byte(u))
	}
	seg := strings.Split(original, ".")
	flat, _ := json.Marshal(m{"protected": seg[0], "payload": seg[1], "signature": seg[2]})
	general, _ := json.Marshal(m{"payload": seg[1], "signatures": []m{{"protected": seg[0], "signature": seg[2]},
		{"protected": seg[0], "signature": "AAAA"}}})
	exp := fmt.Sprintf(`"exp":%d`, now+900)

	var typs []string
	for _, v := range []any{"JWT", "JOSE", "logout+jwt", "dpop+jwt", "secevent+jwt", removed{}} {
		typs = append(typs, head(m{"typ": v}))
	}
	jwe := func(h m) string {
		return enc(h) + "." + enc("key") + "." + enc("iv") + "." + enc(claims) + "." + enc("tag")
	}

	return map[string][]attempt{
		"alg-none": three(m{"alg": "none"}), "alg-empty-string": three(m{"alg": ""}), "alg-null": three(m{"alg": nil}),
		"alg-missing": three(m{"alg": removed{}}),
		"alg-number":  three(m{"alg": 0}), "alg-array": three(m{"alg": []string{"RS256"}}),
		"alg-leading-space": three(m{"alg": " RS256"}),
		"alg-trailing-nul":  three(m{"alg": "RS256\x00"}), "alg-lower-case-rs256": three(m{"alg": "rs256"}),
		"hs256-pem-spki": hs("HS256", crypto.SHA256, pemSPKI), "hs256-der-spki": hs("HS256", crypto.SHA256, spki),
		"hs256-pem-pkcs1": hs("HS256", crypto.SHA256, pemPKCS1),
		"hs256-jwk-json":  hs("HS256", crypto.SHA256, jwkText), "hs256-modulus-bytes": hs("HS256", crypto.SHA256, modulus),
		"hs384-pem-spki-no-newline": hs("HS384", crypto.SHA384, bytes.TrimSpace(pemSPKI)),
		"hs384-modulus-bytes":       hs("HS384", crypto.SHA384, modulus),
		"hs512-pem-spki":            hs("HS512", crypto.SHA512, pemSPKI), "hs512-der-spki": hs("HS512", crypto.SHA512, spki),
		"hs512-pem-pkcs1":     hs("HS512", crypto.SHA512, pemPKCS1),
		"hs512-modulus-bytes": hs("HS512", crypto.SHA512, modulus),
		"alg-swap-rs384":      swap("RS384", crypto.SHA384, false), "alg-swap-ps256": swap("PS256", crypto.SHA256, true),
		"alg-swap-ps384": swap("PS384", crypto.SHA384, true), "alg-swap-ps512": swap("PS512", crypto.SHA512, true),
		"hdr-jku": tries(sign(evil, with(header, m{"jku": "http://" + listener + "/jwks.json",
			"kid": thumbprint(&evil.PublicKey)}), claims), sign(evil, with(header, m{"jku": "http://" + listener}), claims)),
		"hdr-jku-loopback": tries(sign(evil, with(header, m{"jku": "http://" + listener + "/",
			"x5u": "http://" + listener + "/"}), claims)),
		"hdr-x5c": tries(sign(evil, with(header, m{"x5c": []string{base64.StdEncoding.EncodeToString(spki)},
			"jwk": publicJWK(&evil.PublicKey, kid)}), claims)),
		"hdr-x5t": tries(sign(evil, with(header, m{"x5t": "AAAA", "x5t#S256": enc(spki[:32])}), claims)),
		"kid-path-traversal": tries(mac(crypto.SHA256, nil, with(header, m{"alg": "HS256", "kid": "../../../../dev/null"}),
			claims),
			sign(key, with(header, m{"kid": "../../../../dev/null"}), claims)),
		"kid-sql": tries(mac(crypto.SHA256, []byte("k"),
			with(header, m{"alg": "HS256", "kid": "x' UNION SELECT 'k'--"}), claims)),
		"kid-command":          tries(head(m{"kid": "|id"}), head(m{"kid": "$(id)"})),
		"kid-nul":              tries(head(m{"kid": kid + "\x00"})),
		"kid-missing-two-keys": tries(sign(evil, with(header, m{"kid": removed{}}), claims), head(m{"kid": removed{}})),
		"kid-number":           tries(head(m{"kid": 1})),
		"crit-empty":           tries(head(m{"crit": []string{}})),
		"crit-string":          tries(head(m{"crit": "exp"}), head(m{"crit": []string{"b64"}, "b64": false})),
		"zip":                  tries(sign(key, with(header, m{"zip": "DEF"}), deflated.Bytes()), head(m{"zip": "DEF"})),
		"typ-wrong":            tries(typs...),
		"typ-media-type": {{"application", head(m{"typ": "application/at+jwt"}), "accept"},
			{"upper case", head(m{"typ": "AT+JWT"}), "either"}},
		"dup-kid": tries(sign(key, `{"kid":"x",`+string(headJSON[1:]), claims),
			sign(key, string(headJSON[:len(headJSON)-1])+`,"kid":"x"}`, claims),
			sign(key, string(headJSON[:len(headJSON)-1])+`,"k\u0069d":"x"}`, claims)),
		"hdr-bom":   tries(sign(key, "\xef\xbb\xbf"+string(headJSON), claims)),
		"hdr-utf16": tries(sign(key, le, claims), sign(key, be, claims)),
		"hdr-trailing-bytes": tries(sign(key, string(headJSON)+"x", claims), sign(key, string(headJSON)+"{}", claims),
			sign(key, string(headJSON)+"\x00", claims),
			sign(key, header, string(claimsJSON)+"{}")),
		"fmt-two-segments": tries(seg[0]+"."+seg[1], seg[0]+"."+seg[1]+"."),
		"fmt-jwe": tries(jwe(m{"alg": "dir", "enc": "A256GCM", "kid": kid}),
			jwe(m{"alg": "RSA1_5", "enc": "A256GCM", "kid": kid}),
			jwe(m{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": "AAAA", "p2c": 1 << 31})),
		"fmt-json-flattened": tries(string(flat)), "fmt-json-general": tries(string(general)),
		"fmt-padding": tries(seg[0]+"=."+seg[1]+"."+seg[2], seg[0]+"."+seg[1]+"=."+seg[2],
			seg[0]+"."+seg[1]+"."+seg[2]+"=", original+"=="),
		"fmt-standard-base64": tries(seg[0]+"."+seg[1]+"."+standard(t, key, header, claims),
			strings.ReplaceAll(original, "-", "+")+"/"),
		"fmt-empty-signature": tries(seg[0] + "." + seg[1] + "."),
		"fmt-signature-zero":  tries(seg[0] + "." + seg[1] + "." + enc(make([]byte, 256))),
		"fmt-dots-million":    tries(strings.Repeat(".", 1_000_000)),
		"clm-exp-string":      tries(claim(m{"exp": "9999999999"})),
		"clm-exp-fraction": {{"past", claim(m{"exp": float64(now) - 120.5}), ""},
			{"future", claim(m{"exp": float64(now) + 600.5}), "either"}},
		"clm-exp-overflow": tries(rawClaims(exp, `"exp":1e400`), rawClaims(exp, `"exp":NaN`),
			rawClaims(exp, `"exp":Infinity`), rawClaims(exp, `"exp":1e300`),
			rawClaims(exp, `"exp":99999999999999999999`)),
		"clm-exp-negative": tries(claim(m{"exp": -1})), "clm-exp-null": tries(claim(m{"exp": nil})),
		"clm-exp-missing": tries(claim(m{"exp": removed{}})),
		"clm-nbf-future":  tries(claim(m{"nbf": now + 3600})), "clm-iat-future": tries(claim(m{"iat": now + 3600})),
		"clm-iss-trailing-slash": tries(claim(m{"iss": ourIssuer + "/"})),
		"clm-sub-number":         tries(claim(m{"sub": 1})),
		"clm-sub-nfd": tries(claim(m{"sub": strings.ToUpper(claims["sub"].(string))}),
			claim(m{"sub": claims["sub"].(string) + "\u0301"})),
		"clm-roles-other-case": tries(claim(m{"Roles": []string{"admin"}, "ROLES": []string{"admin"}})),
		"clm-roles-duplicate": tries(rawClaims(`"roles":["viewer"]`, `"roles":["viewer"],"roles":["admin"]`),
			rawClaims(`"roles":["viewer"]`, `"roles":["admin"],"roles":["viewer"]`)),
		"clm-roles-unicode-fold": {{"long s", claim(m{"role\u017f": []string{"admin"}}), "either"},
			{"Kelvin", head(m{"\u212aid": kid}), "either"},
			{"only Kelvin", head(m{"\u212aid": kid, "kid": removed{}}), ""}},
		"clm-jti-empty": tries(claim(m{"jti": ""}), claim(m{"jti": removed{}}), claim(m{"jti": 7})),
		"clm-jti-store-pattern": {{"colon", claim(m{"jti": "a:b*"}), "accept"}, {"star", claim(m{"jti": "*"}), "accept"},
			{"line", claim(m{"jti": "a\nb"}), "accept"}},
		"clm-jti-64k": tries(claim(m{"jti": strings.Repeat("j", 64<<10)}),
			claim(m{"jti": strings.Repeat("j", 300)})),
		"clm-refresh-token":          tries(secret.NewToken(secret.PrefixRefresh)),
		"clm-payload-lone-surrogate": tries(rawClaims(`"sub":"`, `"sub":"\ud800`)),
	}
}

// standard returns a signature in the alphabet with + and /, from a token whose signature needs it.
func standard(t testing.TB, key *rsa.PrivateKey, header, claims m) string {
	for i := range 200 {
		input := enc(header) + "." + enc(with(claims, m{"n": i}))
		if s := base64.RawStdEncoding.EncodeToString(rs256(key, input)); strings.ContainsAny(s, "+/") {
			return s
		}
	}
	t.Fatal("no signature with + or /")
	return ""
}

// JW-12: names that a store could take for patterns are revoked alone.
func TestPatternInJTINamesOneToken(t *testing.T) {
	r := newRig(t)
	header, claims := r.good()
	seen := map[any]string{}
	for _, jti := range []string{"a:b*", "*", "a\nb", "a"} {
		p, err := r.verifier.Verify(t.Context(), sign(ourKey(), header, with(claims, m{"jti": jti})))
		if err != nil {
			t.Fatal(err)
		}
		if other, there := seen[p.TokenKey]; there {
			t.Errorf("%q and %q have one revocation key", jti, other)
		}
		seen[p.TokenKey] = jti
	}
}

// JW-04 JW-15: what costs the sender little costs the gateway little: a million dots, 16 KiB, PBES2 with 2^31 rounds.
func TestHugeTokensCostNothing(t *testing.T) {
	r := newRig(t)
	huge := []string{strings.Repeat(".", 1_000_000), strings.Repeat("a", 10<<20), strings.Repeat("a.", 8<<10),
		strings.Repeat("[", 16<<10),
		enc(strings.Repeat(`{"a":`, 2000)) + "." + enc(m{}) + ".AAAA",
		enc(m{"alg": "PBES2-HS256+A128KW", "p2c": 1 << 31}) + "....",
		enc(m{"alg": "RS256"}) + "." + enc(strings.Repeat("[", 11000)) + ".AAAA"}
	for i, raw := range huge {
		timebound.CPU(t, fmt.Sprintf("case %d", i), time.Second, func() {
			r.refused(fmt.Sprint(i), raw)
			_ = r.verifier.Ours(raw)
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = r.verifier.Verify(context.Background(), raw)
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
			t.Errorf("case %d: %d bytes", i, allocated)
		}
	}
}

// JW-02: a signature by a key that is not the ring's is refused even with the ring's kid.
func TestForeignSignatureUnderOurKidIsRefused(t *testing.T) {
	r := newRig(t)
	header, claims := r.good()
	r.accepted("our key", sign(ourKey(), header, claims))
	r.refused("attacker's key", sign(attackerKey(), header, claims))
	sum := sha256.Sum256(nil)
	r.refused("signature of nothing", enc(header)+"."+enc(claims)+"."+
		enc(must(rsa.SignPKCS1v15(nil, ourKey(), crypto.SHA256, sum[:]))(t)))
}
