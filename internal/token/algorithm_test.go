package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

var (
	ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
	edKey = sync.OnceValue(func() ed25519.PrivateKey {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
)

func ecJWK(k *ecdsa.PublicKey, kid string) m {
	point, err := k.Bytes()
	if err != nil {
		panic(err)
	}
	return m{"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": enc(point[1:33]), "y": enc(point[33:])}
}

func edJWK(k ed25519.PrivateKey, kid string) m {
	return m{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": enc([]byte(k.Public().(ed25519.PublicKey)))}
}

// threeKinds is a set with a key of each kind.
func threeKinds(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	set := mustJSON(m{"keys": []any{publicJWK(&attackerKey().PublicKey, "r"), ecJWK(&ecKey().PublicKey, "e"),
		edJWK(edKey(), "d")}})
	if err := os.WriteFile(path, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// signWith returns a token with the signature of an algorithm whatever its header says.
func signWith(alg string, head, claims any) string {
	input := enc(head) + "." + enc(claims)
	sig, err := jwt.GetSigningMethod(alg).Sign(input, map[string]any{"RS256": attackerKey(), "ES256": ecKey(),
		"EdDSA": edKey()}[alg])
	if err != nil {
		panic(err)
	}
	return input + "." + enc(sig)
}

// ED-24 JW-02: an algorithm counts for an issuer that the operator names it for, with a key that is of it. No header
// makes a key of one kind check a signature of another.
func TestAlgorithmsOfATrustedIssuer(t *testing.T) {
	file := threeKinds(t)
	all, _ := newTrust(t, file, func(c *TrustConfig) { c.Algorithms = []string{"RS256", "ES256", "EdDSA"} })
	usual, _ := newTrust(t, file, nil)
	_, claims := parts(t, theirToken(all.clock.now(), "r", nil))
	kids := map[string]string{"RS256": "r", "ES256": "e", "EdDSA": "d"}
	for signed := range kids {
		good := signWith(signed, m{"alg": signed, "typ": "at+jwt", "kid": kids[signed]}, claims)
		all.accepted(signed, good)
		if signed != "RS256" {
			usual.refused(signed+" that is not named", good)
		}
		for _, said := range []string{"RS256", "ES256", "EdDSA", "HS256", "ES384", "PS256", "none", "es256", "Ed25519",
			"ES256K"} {
			for _, kid := range []string{"r", "e", "d"} {
				if said != signed || kid != kids[signed] {
					all.refused(signed+" said to be "+said+" with "+kid,
						signWith(signed, m{"alg": said, "typ": "at+jwt", "kid": kid}, claims))
				}
			}
		}
	}
	// JW-01: a public key is no secret of HMAC, whatever its kind and text
	for kid, public := range map[string]crypto.PublicKey{"r": &attackerKey().PublicKey, "e": &ecKey().PublicKey,
		"d": edKey().Public()} {
		for _, text := range [][]byte{[]byte(mustJSON(public)), edKey().Public().(ed25519.PublicKey)} {
			for alg := range map[string]bool{"HS256": true, "ES256": true, "EdDSA": true} {
				all.refused("HMAC as "+alg, mac(crypto.SHA256, text, m{"alg": alg, "typ": "at+jwt", "kid": kid}, claims))
			}
		}
	}
	// our own tokens stay RS256 whatever others may use
	header, own := all.good()
	for _, alg := range []string{"ES256", "EdDSA"} {
		all.refused("ours with "+alg, signWith(alg, with(header, m{"alg": alg, "kid": kids[alg]}), own))
	}
	all.refused("ours without kid", sign(ourKey(), with(header, m{"kid": removed{}}), own))
	all.refused("ours with typ JWT", sign(ourKey(), with(header, m{"typ": "JWT"}), own))
}

// ED-24: an ECDSA signature that is cut, padded, zero or of another length verifies nothing (CVE-2022-21449), and its
// second spelling (r, n-s) is no second token: what was revoked stays revoked.
func TestSpellingsOfAnECDSASignature(t *testing.T) {
	r, _ := newTrust(t, threeKinds(t), func(c *TrustConfig) { c.Algorithms = []string{"ES256"} })
	_, claims := parts(t, theirToken(r.clock.now(), "e", m{"jti": removed{}}))
	raw := signWith("ES256", m{"alg": "ES256", "typ": "at+jwt", "kid": "e"}, claims)
	at := strings.LastIndexByte(raw, '.')
	sig, _ := strictBase64.DecodeString(raw[at+1:])
	for name, other := range map[string][]byte{"zero": make([]byte, 64), "cut": sig[:63],
		"longer": append(append([]byte{}, sig...), 0), "r zero": append(make([]byte, 32), sig[32:]...),
		"empty": {0}} {
		r.refused(name, raw[:at+1]+enc(other))
	}
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
	twin := raw[:at+1] + enc(append(append([]byte{}, sig[:32]...), s.FillBytes(make([]byte, 32))...))
	p, err := r.verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	q, err := r.verifier.Verify(t.Context(), twin)
	if err == nil && q.TokenKey != p.TokenKey {
		t.Error("the second spelling of a signature is another token: revoking the first one does not reach it")
	}
}

// ED-24: a token without a kid means the issuer's one key of its algorithm; where there are two, or at+jwt is said, it
// is refused.
func TestTokenWithoutAKid(t *testing.T) {
	file := threeKinds(t)
	plain := func(c *TrustConfig) { c.Types, c.Algorithms = []string{"JWT"}, []string{"RS256", "ES256", "EdDSA"} }
	r, trust := newTrust(t, file, plain)
	_, claims := parts(t, theirToken(r.clock.now(), "e", nil))
	for alg := range algorithms {
		r.accepted(alg, signWith(alg, m{"alg": alg}, claims))
		r.accepted(alg, signWith(alg, m{"alg": alg, "typ": "jwt"}, claims))
		r.refused(alg+", empty kid", signWith(alg, m{"alg": alg, "kid": ""}, claims))
		r.refused(alg+", kid null", signWith(alg, m{"alg": alg, "kid": nil}, claims))
	}
	trust.mu.Lock()
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	trust.keys = append(trust.keys, trustedKey{"e2", "ES256", &other.PublicKey})
	trust.mu.Unlock()
	r.refused("two keys", signWith("ES256", m{"alg": "ES256"}, claims))
	r.accepted("two keys and a kid", signWith("ES256", m{"alg": "ES256", "kid": "e"}, claims))
	strict, _ := newTrust(t, file, func(c *TrustConfig) { c.Algorithms = []string{"ES256"} })
	strict.refused("at+jwt", signWith("ES256", m{"alg": "ES256", "typ": "at+jwt"}, claims))
}

// ED-24 JW-14: a token without iat is taken where typ JWT is, and counts as older than every sign-out.
func TestTokenWithoutIssuedAt(t *testing.T) {
	r, _ := newTrust(t, threeKinds(t), func(c *TrustConfig) { c.Types = []string{"JWT", "at+jwt"} })
	_, claims := parts(t, theirToken(r.clock.now(), "r", m{"iat": removed{}}))
	p, err := r.verifier.Verify(t.Context(), sign(attackerKey(), m{"alg": "RS256", "kid": "r"}, claims))
	if err != nil || p.IssuedAt > 0 {
		t.Errorf("%+v %v", p, err)
	}
	r.refused("at+jwt", sign(attackerKey(), m{"alg": "RS256", "typ": "at+jwt", "kid": "r"}, claims))
}

// ED-24: the reason of a refusal names the issuer when it is one of ours and never anything that the token says.
func TestRefusalNamesItsReasonAndNoValue(t *testing.T) {
	r, _ := newTrust(t, threeKinds(t), nil)
	_, claims := parts(t, theirToken(r.clock.now(), "r", nil))
	for want, raw := range map[string]string{
		"its aud":          theirToken(r.clock.now(), "r", m{"aud": "SECRET"}),
		"its kid":          theirToken(r.clock.now(), "SECRET", nil),
		"typ JWT":          sign(attackerKey(), m{"alg": "RS256", "typ": "JWT", "kid": "r"}, claims),
		"alg ES256":        signWith("ES256", m{"alg": "ES256", "typ": "at+jwt", "kid": "e"}, claims),
		"it has expired":   theirToken(r.clock.now(), "r", m{"exp": 1, "sub": "SECRET"}),
		"its signature":    sign(ourKey(), m{"alg": "RS256", "typ": "at+jwt", "kid": "r"}, claims),
		"its alg":          sign(ourKey(), m{"alg": "SECRET", "typ": "at+jwt", "kid": "r"}, claims),
		"its typ":          sign(ourKey(), m{"alg": "RS256", "typ": "SECRET", "kid": "r"}, claims),
		"its iss is no":    theirToken(r.clock.now(), "r", m{"iss": "https://SECRET"}),
		"its sub names no": theirToken(r.clock.now(), "r", m{"sub": ""}),
	} {
		err := r.verify(raw)
		why := RefusalOf(err)
		if why == nil || !strings.Contains(why.Error(), want) || strings.Contains(why.Error(), "SECRET") ||
			(why.Issuer == theirIssuer) == (want == "its iss is no") {
			t.Errorf("%s: %+v", want, why)
		}
		var told *identity.Error
		if !errors.As(err, &told) || strings.Contains(told.Detail, want) {
			t.Errorf("%s: the client is told", want)
		}
	}
}

// JW-18: vectors of RFC 7515 A.3 and RFC 8037 A.4 verify with keys that are read as ours are.
func TestVectorsOfES256AndEdDSA(t *testing.T) {
	for _, v := range []struct{ alg, key, token string }{
		{"ES256",
			`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
		{"EdDSA", `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
	} {
		var members map[string]any
		if err := json.Unmarshal([]byte(v.key), &members); err != nil {
			t.Fatal(err)
		}
		key, err := algorithms[v.alg].read(members)
		if err != nil {
			t.Fatal(v.alg, err)
		}
		at := strings.LastIndexByte(v.token, '.')
		sig, _ := strictBase64.DecodeString(v.token[at+1:])
		if err := algorithms[v.alg].method.Verify(v.token[:at], sig, key); err != nil {
			t.Errorf("%s: %v", v.alg, err)
		}
		if algorithms[v.alg].method.Verify(v.token[:at]+"x", sig, key) == nil {
			t.Errorf("%s: a changed text verifies", v.alg)
		}
	}
}

// JW-07: a point off the curve, a short coordinate, a key of another curve or size is refused.
func TestUnsoundKeysOfOtherKinds(t *testing.T) {
	all := []string{"RS256", "ES256", "EdDSA"}
	ec, ed := ecJWK(&ecKey().PublicKey, "e"), edJWK(edKey(), "d")
	for name, key := range map[string]m{"off the curve": with(ec, m{"y": ec["x"]}),
		"short": with(ec, m{"x": enc(make([]byte, 31))}), "P-384": with(ec, m{"crv": "P-384"}),
		"no curve": with(ec, m{"crv": removed{}}), "infinity": with(ec,
			m{"x": enc(make([]byte, 32)), "y": enc(make([]byte, 32))}), "for RS256": with(ec, m{"alg": "RS256"}),
		"for encryption": with(ec, m{"use": "enc"}), "Ed448": with(ed, m{"crv": "Ed448"}),
		"X25519": with(ed, m{"crv": "X25519"}), "31 bytes": with(ed, m{"x": enc(make([]byte, 31))}),
		"padded": with(ed, m{"x": enc(make([]byte, 32)) + "="}), "an EC key as OKP": with(ec, m{"kty": "OKP"})} {
		if keys, err := parseJWKS([]byte(mustJSON(m{"keys": []any{key}})), all); err == nil {
			t.Errorf("%s: %v", name, keys)
		}
	}
	if _, err := parseJWKS([]byte(mustJSON(m{"keys": []any{ec, ed}})), []string{"RS256"}); err == nil {
		t.Error("a set without a key for the named algorithm is taken")
	}
}
