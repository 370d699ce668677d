package token

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// asserter signs for the app at app.example.com.
func (r *rig) asserter() *Asserter {
	return &Asserter{Ring: r.ring, Issuer: func(host string) string { return "https://" + host }, Now: r.clock.now}
}

func (r *rig) principal() *identity.Principal {
	return &identity.Principal{UserID: r.user.ID.String(), Username: "Ann", SessionID: r.session.String(),
		Roles: []string{"viewer"}, Proof: identity.Proof{AMR: []string{"pwd", "otp", "mfa"}, ACR: "2",
			AuthTime: r.clock.now(), MFATime: r.clock.now()}, Expires: r.clock.now().Add(time.Hour),
		Credential: identity.CredentialCookie}
}

// asApp verifies as an app does that knows nothing but the published keys.
func asApp(r *rig, raw, host string) (jwt.MapClaims, error) {
	body, _ := r.ring.JWKS()
	var set struct {
		Keys []struct{ KID, N, E string }
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithAudience(host),
		jwt.WithIssuer("https://"+host),
		jwt.WithTimeFunc(r.clock.now)).ParseWithClaims(raw, claims, func(t *jwt.Token) (any, error) {
		for _, k := range set.Keys {
			n, err := base64.RawURLEncoding.DecodeString(k.N)
			if err == nil && k.KID == t.Header["kid"] && k.E == "AQAB" {
				return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, nil
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	})
	return claims, err
}

// JW-17 HD-04: the last assertion that an old key signs verifies with the published keys to its own end, and at no
// moment of a rotation is one signed with a key that is not published.
func TestAssertionsOutliveTheRotationOfTheirKey(t *testing.T) {
	r := newRig(t)
	a, p := r.asserter(), r.principal()
	kid := func(raw string) string { header, _ := parts(t, raw); return text(header, "kid") }
	first, _, err := a.Sign(p, "app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	info := must(r.ring.Rotate(t.Context(), nil))(t)
	r.clock.add(2*time.Minute - time.Second)
	last, _, err := a.Sign(p, "app.example.com")
	if err != nil || kid(last) != kid(first) {
		t.Fatalf("signed by %s: %v", kid(last), err)
	}
	for range 17 { // 119 seconds
		r.clock.add(7 * time.Second)
		if err := r.ring.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		fresh, _, err := a.Sign(p, "app.example.com")
		if err != nil || kid(fresh) != info.KID {
			t.Fatalf("signed by %s: %v", kid(fresh), err)
		}
		for name, raw := range map[string]string{"last of the old key": last, "fresh": fresh} {
			if _, err := asApp(r, raw, "app.example.com"); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	r.clock.add(time.Second)
	if _, err := asApp(r, last, "app.example.com"); err == nil {
		t.Error("it lives longer than 120 s")
	}
}

// HD-04: an assertion is for one host; whenever a request may still carry it, it is good for a whole minute, fractions
// of a second included; and it ends with the credential.
func TestAssertionIsGoodForAMinuteWheneverItIsSent(t *testing.T) {
	c := newClock()
	c.add(999 * time.Millisecond)
	r := newRigAt(t, c) // the key is as young as the assertion
	p := r.principal()
	raw, renew, err := r.asserter().Sign(p, "app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := asApp(r, raw, "app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	exp, iat := int64(claims["exp"].(float64)), int64(claims["iat"].(float64))
	if left := time.Unix(exp, 0).Sub(renew); left < time.Minute || exp-iat > 120 {
		t.Errorf("when the next one is due, this one is good for %v; it lives %d s", left, exp-iat)
	}
	if _, err := asApp(r, raw, "other.example.com"); err == nil {
		t.Error("another host takes it")
	}
	p.Expires = r.clock.now().Add(20 * time.Second)
	raw, _, err = r.asserter().Sign(p, "app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if claims, err = asApp(r, raw, "app.example.com"); err != nil || int64(claims["exp"].(float64)) != p.Expires.Unix() {
		t.Errorf("it outlives its session: %v %v", claims["exp"], err)
	}
}

// JW-10 RFC 8725 3.11: an assertion never passes for an access token of ours, whatever its audience, and is still ours
// to refuse; an access token never passes for an assertion.
func TestAssertionAndAccessTokenAreNotEachOther(t *testing.T) {
	r := newRig(t)
	a := r.asserter()
	a.Issuer = func(string) string { return ourIssuer }
	for _, host := range []string{"app.example.com", "truxe"} { // "truxe" is the audience of access tokens
		raw, _, err := a.Sign(r.principal(), host)
		if err != nil {
			t.Fatal(err)
		}
		if !r.verifier.Ours(raw) {
			t.Errorf("%s: it would pass to the app as the app's own", host)
		}
		r.refused("assertion for "+host, raw)
		header, claims := parts(t, raw)
		if header["typ"] != "truxe-assertion+jwt" || header["alg"] != "RS256" {
			t.Errorf("header %v", header)
		}
		r.accepted("control: the same claims as an access token",
			sign(ourKey(), with(header, m{"typ": "at+jwt"}), with(claims, m{"aud": "truxe"})))
	}
	if _, err := asApp(r, r.issue(), "app.example.com"); err == nil {
		t.Error("an access token passes for an assertion")
	}
}

// MF-21: an assertion about a user of another issuer has neither acr nor amr: that issuer's words are not ours.
func TestAssertionTellsNoForeignAssurance(t *testing.T) {
	r := newRig(t)
	p := &identity.Principal{UserID: theirIssuer + "|42", Username: "42",
		Proof:   identity.Proof{AMR: []string{theirIssuer + "|mfa"}, ACR: theirIssuer + "|3"},
		Expires: r.clock.now().Add(time.Hour), Credential: identity.CredentialBearer}
	raw, _, err := r.asserter().Sign(p, "app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := asApp(r, raw, "app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"acr", "amr", "sid", "mfa_time", "passkey_time", "auth_time"} {
		if v, there := claims[name]; there {
			t.Errorf("%s is %v", name, v)
		}
	}
	if !strings.HasPrefix(claims["sub"].(string), theirIssuer+"|") {
		t.Errorf("sub %v", claims["sub"])
	}
	p = r.principal()
	raw, _, err = r.asserter().Sign(p, "app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if claims, err = asApp(r, raw, "app.example.com"); err != nil || claims["acr"] != "2" ||
		len(claims["amr"].([]any)) != 3 || claims["sid"] != p.SessionID || claims["mfa_time"] == nil {
		t.Errorf("control: %v %v", claims, err)
	}
}
