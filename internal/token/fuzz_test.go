package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// FuzzVerify signs whatever header and claims it is given with our own key: nothing but well-formed access tokens
// passes, and what passes is read as encoding/json reads it.
func FuzzVerify(f *testing.F) {
	r := newRig(f)
	header, claims := parts(f, r.issue())
	f.Add([]byte(mustJSON(header)), []byte(mustJSON(claims)), "")
	f.Add([]byte(mustJSON(header)), []byte(`{"iss":"`+ourIssuer+`","exp":1e400}`), "")
	f.Add([]byte(`{"alg":"none"}`), []byte(`{}`), r.issue())
	f.Add([]byte(`{"alg":"RS256","typ":"at+jwt","kid":"x"}`),
		[]byte(mustJSON(with(claims, m{"roles": []any{"a", 1, nil}}))), "a.b.c")
	f.Fuzz(func(t *testing.T, head, body []byte, raw string) {
		for _, token := range []string{raw, sign(ourKey(), head, body)} {
			p, err := r.verifier.Verify(context.Background(), token)
			if err != nil {
				if identity.CodeOf(err) != identity.CodeInvalidToken {
					t.Fatalf("%v", err)
				}
				continue
			}
			if !r.verifier.Ours(token) {
				t.Fatal("a token that verifies is not ours")
			}
			h, c := parts(t, token)
			var again m
			if h["alg"] != "RS256" || c["iss"] != ourIssuer || c["sub"] != p.UserID ||
				json.Unmarshal([]byte(mustJSON(c)), &again) != nil ||
				!p.Expires.After(r.clock.now()) || len(p.Roles) != len(roleNames(texts(c["roles"]))) {
				t.Fatalf("%+v of %v %v", p, h, c)
			}
		}
	})
}

// FuzzOurs: a claim set that any lenient reader takes for ours is ours.
func FuzzOurs(f *testing.F) {
	r := newRig(f)
	for _, body := range []string{`{"iss":"` + ourIssuer + `"}`, `{"iss":"x","iss":"` + ourIssuer + `"}`,
		`{"\u0069ss":"https:\/\/auth.example.com"}`, `{"aud":"` + ourIssuer + `"}`, `{"ISS":1}`, ``} {
		f.Add(body, "a.b.c")
	}
	f.Fuzz(func(t *testing.T, body, raw string) {
		_ = r.verifier.Ours(raw)
		token := enc(m{"alg": "RS256"}) + "." + enc(body) + ".AAAA"
		var loose struct{ Iss string } // encoding/json: folded names, the last of several
		if len(body) < 16<<10 && json.Unmarshal([]byte(body), &loose) == nil && loose.Iss == ourIssuer &&
			!r.verifier.Ours(token) {
			t.Errorf("%q reads as ours", body)
		}
	})
}

// FuzzParseJWKS: what is taken from a set is sound and bounded.
func FuzzParseJWKS(f *testing.F) {
	good := jwks(map[string]*rsa.PrivateKey{"k": ourKey()})
	for _, s := range []string{good, `{"keys":[]}`, strings.Replace(good, `"RSA"`, `"EC"`, 1),
		strings.Replace(good, `AQAB`, `AA`, 1), `{"keys":[{"kty":"RSA","kid":"k","n":"","e":""}]}`, `[]`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"EC","crv":"P-256","kid":"e","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := parseJWKS(raw, []string{"RS256", "ES256", "EdDSA"})
		if (err == nil) != (len(keys) > 0) || len(keys) > maxKeys {
			t.Fatalf("%v, %d keys", err, len(keys))
		}
		for _, k := range keys {
			switch key := k.key.(type) {
			case *rsa.PublicKey:
				if k.alg != "RS256" || checkPublic(key) != nil {
					t.Fatalf("%s key %q", k.alg, k.kid)
				}
			case *ecdsa.PublicKey:
				if _, err := key.ECDH(); k.alg != "ES256" || err != nil {
					t.Fatalf("%s key %q", k.alg, k.kid)
				}
			case ed25519.PublicKey:
				if k.alg != "EdDSA" || len(key) != ed25519.PublicKeySize {
					t.Fatalf("%s key %q", k.alg, k.kid)
				}
			default:
				t.Fatalf("%T", key)
			}
		}
	})
}

// FuzzImportKey: what is taken is a sound key, and no error shows the input.
func FuzzImportKey(f *testing.F) {
	for _, s := range []string{pkcs1PEM(ourKey()), pkcs8PEM(f, ourKey()),
		strings.ReplaceAll(pkcs1PEM(ourKey()), "\n", `\n`), enc(pkcs1PEM(ourKey())), "-----BEGIN RSA PRIVATE KEY-----", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ImportKey(text)
		if err == nil && (k.Validate() != nil || k.N.BitLen() < minBits) {
			t.Fatal("an unsound key")
		}
	})
}
