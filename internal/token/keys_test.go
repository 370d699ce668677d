package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
)

func pkcs1PEM(k *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
}

func pkcs8PEM(t testing.TB, k any) string {
	t.Helper()
	der := must(x509.MarshalPKCS8PrivateKey(k))(t)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// A key is taken in every form that operators keep it in.
func TestImportedKeyInEveryForm(t *testing.T) {
	k := ourKey()
	text1, text8 := pkcs1PEM(k), pkcs8PEM(t, k)
	b64 := base64.StdEncoding.EncodeToString([]byte(text8))
	var wrapped strings.Builder
	for i := 0; i < len(b64); i += 76 {
		wrapped.WriteString(b64[i:min(i+76, len(b64))] + "\n")
	}
	for name, text := range map[string]string{"pkcs1": text1, "pkcs8": text8,
		"base64 of pkcs1": base64.StdEncoding.EncodeToString([]byte(text1)), "base64": b64,
		"wrapped base64": wrapped.String(), "url base64": base64.RawURLEncoding.EncodeToString([]byte(text8)),
		"escaped":           strings.ReplaceAll(text8, "\n", `\n`),
		"base64 of escaped": base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(text8, "\n", `\n`))),
		"crlf":              strings.ReplaceAll(text8, "\n", "\r\n")} {
		got, err := ImportKey(text)
		if err != nil || !got.Equal(k) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// JW-07: keys that are short, of another kind or inconsistent are refused at load, and no error shows any of it.
func TestWeakOrBrokenKeyIsRefused(t *testing.T) {
	if _, err := ImportKey(pkcs1PEM(ourKey())); err != nil {
		t.Fatal("accept control:", err)
	}
	weak := smallKey(t)
	broken := *ourKey()
	broken.D = new(big.Int).Add(broken.D, big.NewInt(2))
	broken.Precomputed = rsa.PrecomputedValues{}
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	text := pkcs1PEM(ourKey())
	for name, text := range map[string]string{"1024 bits": pkcs1PEM(weak),
		"1024 bits, base64": base64.StdEncoding.EncodeToString([]byte(pkcs8PEM(t, weak))),
		"fails Validate":    pkcs1PEM(&broken), "elliptic curve": pkcs8PEM(t, ec), "empty": "", "words": "my secret key",
		"public": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY",
			Bytes: x509.MarshalPKCS1PublicKey(&ourKey().PublicKey)})),
		"cut": text[:len(text)/2], "huge": strings.Repeat("A", maxKeyText+1)} {
		_, err := ImportKey(text)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if len(text) > 8 && strings.Contains(err.Error(), text[len(text)/3:len(text)/3+5]) {
			t.Errorf("%s: the error shows the input: %v", name, err)
		}
	}
}

// smallKey returns a 1024-bit key: Go's own generator refuses them.
func smallKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	one := big.NewInt(1)
	for {
		p := must(rand.Prime(rand.Reader, 512))(t)
		q := must(rand.Prime(rand.Reader, 512))(t)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(big.NewInt(65537), phi)
		if d == nil || p.Cmp(q) == 0 {
			continue
		}
		return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, D: d, Primes: []*big.Int{p, q}}
	}
}

// The key id is the RFC 7638 thumbprint: the RFC's own example.
func TestKeyIDIsTheThumbprintOfRFC7638(t *testing.T) {
	n := must(base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"))(t)
	if got := thumbprint(&rsa.PublicKey{N: new(big.Int).SetBytes(n),
		E: 65537}); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Error(got)
	}
}

// JW-02 JW-07: of another issuer's set only sound RSA keys for RS256 signatures count, and no kid twice.
func TestKeySetOfAnotherIssuer(t *testing.T) {
	good := publicJWK(&ourKey().PublicKey, "good")
	line := func(change m) string {
		base := m{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "good", "n": good.N, "e": good.E}
		return mustJSON(with(base, change))
	}
	set := func(lines ...string) []byte { return []byte(`{"keys":[` + strings.Join(lines, ",") + `]}`) }
	for name, raw := range map[string][]byte{"plain": set(line(nil)),
		"without use and alg": set(line(m{"use": removed{}, "alg": removed{}})),
		"beside others": set(line(m{"kid": "ps", "alg": "PS256"}), line(m{"kid": "e", "use": "enc"}),
			`{"kty":"EC","kid":"ec","crv":"P-256"}`, `{"kty":"oct","kid":"o","k":"AAAA"}`, line(nil)),
		"beside a weak one": set(line(m{"kid": "weak", "n": enc(smallKey(t).N.Bytes())}), line(nil)),
		"verify":            set(line(m{"key_ops": []string{"verify"}}))} {
		keys, err := parseJWKS(raw, []string{"RS256"})
		if err != nil || len(keys) != 1 || !ourKey().PublicKey.Equal(keys.find(header{alg: "RS256", kid: "good"})) {
			t.Errorf("%s: %v, %d keys", name, err, len(keys))
		}
	}
	for name, raw := range map[string][]byte{"nothing": nil, "empty": set(), "a list": []byte(`[]`),
		"twice": set(line(nil), line(nil)), "weak": set(line(m{"n": enc(smallKey(t).N.Bytes())})),
		"empty kid": set(line(m{"kid": ""})), "other use": set(line(m{"use": "enc"})),
		"other alg": set(line(m{"alg": "PS256"})), "alg null": set(line(m{"alg": nil})),
		"symmetric":     set(`{"kty":"oct","kid":"good","k":"AAAA","alg":"RS256"}`),
		"even exponent": set(line(m{"e": enc([]byte{4})})), "exponent 1": set(line(m{"e": "AQ"})),
		"long exponent":    set(line(m{"e": enc([]byte{1, 0, 0, 0, 1})})),
		"duplicate member": []byte(`{"keys":[` + line(nil) + `],"keys":[]}`),
		"key_ops sign":     set(line(m{"key_ops": []string{"sign"}})),
		"101 keys":         set(strings.Split(strings.Repeat("|"+line(nil), 101)[1:], "|")...)} {
		if keys, err := parseJWKS(raw, []string{"RS256"}); err == nil {
			t.Errorf("%s: accepted %d keys", name, len(keys))
		}
	}
}
