package token

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const (
	// assertionType is the `typ` of assertions. An explicit type of their own keeps them from passing for access tokens
	// anywhere, ours included (RFC 8725 3.11, JW-10).
	assertionType = "truxe-assertion+jwt"
	// AssertionLife is how long an upstream may believe an assertion (CONTRACT section 4: at most 120 s).
	AssertionLife = 120 * time.Second
	// assertionRenew is how old an assertion may get before a request carries a new one: each is good for a minute
	// more.
	assertionRenew = 60 * time.Second
)

// Asserter signs what an upstream can verify by itself: who sent this request (X-Truxe-Jwt-Assertion).
type Asserter struct {
	Ring   *Ring
	Issuer func(host string) string // the `iss` at a host
	// Permissions is as in IssuerConfig; Roles numbers the role model that it reads, and changes when that does. nil:
	// one model for ever.
	Permissions func(roles []string) (list []string, ok bool)
	Roles       func() uint64
	Now         func() time.Time
}

// Version changes when what Sign says about the same principal does: an assertion of another version is signed anew.
func (a *Asserter) Version() uint64 {
	if a.Roles == nil {
		return 0
	}
	return a.Roles()
}

// Sign returns an assertion for the app at a folded host. It never outlives the credential that it is about. Signing
// costs over a millisecond: callers keep it until renew.
func (a *Asserter) Sign(p *identity.Principal, host string) (signed string, renew time.Time, err error) {
	now := a.Now()
	key := a.Ring.current.Load().signer(now)
	if key == nil {
		return "", renew, errors.New("sign assertion: no key may sign")
	}
	// Claims are whole seconds: counted from a fraction, renew would be less than a minute before exp.
	now = now.Truncate(time.Second)
	exp := now.Add(AssertionLife)
	if !p.Expires.IsZero() && p.Expires.Before(exp) {
		exp = p.Expires
	}
	claims := jwt.MapClaims{
		"iss": a.Issuer(host), "aud": host, "sub": p.UserID, "jti": identity.NewID().String(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": exp.Unix(),
		"preferred_username": p.Username, "email": p.Email, "name": p.Name, "roles": notNil(p.Roles),
	}
	putPermissions(claims, a.Permissions, p.Roles)
	// Of a session of ours only: another issuer's acr and amr are its own words, and its "3" need not be a passkey
	// (MF-21).
	if p.SessionID != "" {
		claims["sid"], claims["acr"], claims["amr"] = p.SessionID, p.ACR, notNil(p.AMR)
	}
	for name, at := range map[string]time.Time{"auth_time": p.AuthTime, mfaTime: p.MFATime, passkeyTime: p.PasskeyTime} {
		if !at.IsZero() {
			claims[name] = at.Unix()
		}
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	t.Header["kid"], t.Header["typ"] = key.record.KID, assertionType
	signed, err = t.SignedString(key.private)
	return signed, now.Add(assertionRenew), err
}
