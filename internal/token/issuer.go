package token

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// issuedMilli is a private claim (RFC 7519 4.3) beside those of CONTRACT section 8: when the token was issued in Unix
// milliseconds. A sign-out everywhere is told from a sign-in later in the same second by it. A fraction in iat would be
// allowed as well (RFC 7519 2), but readers that want whole numbers there are common.
const issuedMilli = "iat_ms"

// mfaTime and passkeyTime are private claims beside amr and auth_time: when these were proven last, in Unix seconds. A
// password shown again moves auth_time and neither of them.
const mfaTime, passkeyTime = "mfa_time", "passkey_time"

// IssuerConfig of an Issuer.
type IssuerConfig struct {
	Issuer   func(host string) string // the `iss` of a user who signed in at a host
	Audience []string
	Access   time.Duration
	// Permissions lists what roles grant together, sorted; not ok: more than a token may carry. nil: none.
	Permissions func(roles []string) (list []string, ok bool)
	Now         func() time.Time
}

// Issuer issues access tokens.
type Issuer struct {
	ring *Ring
	cfg  IssuerConfig
}

// NewIssuer returns an issuer.
func NewIssuer(ring *Ring, cfg IssuerConfig) *Issuer { return &Issuer{ring, cfg} }

// Claims are whom a token is for.
type Claims struct {
	User      identity.User
	SessionID string
	ClientID  string
	Host      string // folded host that the session is bound to
	identity.Proof
}

// Issued is a fresh token.
type Issued struct {
	Token     string
	JTI       string
	ExpiresIn time.Duration
}

// Issue signs an access token as CONTRACT section 8 says (RFC 9068 2.2), with iat_ms added. Signing costs 1.4 ms. A
// person with so many roles that no server would take the token gets an error.
func (i *Issuer) Issue(c Claims) (Issued, error) {
	now := i.cfg.Now()
	key := i.ring.current.Load().signer(now)
	if key == nil {
		return Issued{}, errors.New("issue access token: no key may sign")
	}
	jti := identity.NewID().String()
	var audience any = i.cfg.Audience
	if len(i.cfg.Audience) == 1 { // a string is what most verifiers expect (RFC 7519 4.1.3)
		audience = i.cfg.Audience[0]
	}
	claims := jwt.MapClaims{
		"iss": i.cfg.Issuer(c.Host), "sub": c.User.ID.String(), "aud": audience,
		"exp": now.Add(i.cfg.Access).Unix(), "iat": now.Unix(), "nbf": now.Unix(),
		issuedMilli: now.UnixMilli(), "jti": jti, "sid": c.SessionID, "client_id": c.ClientID,
		"amr": notNil(c.AMR), "acr": c.ACR,
		"roles": notNil(c.User.Roles), "preferred_username": c.User.Username, "email": c.User.Email,
		"email_verified": false, "name": c.User.Name,
	}
	putPermissions(claims, i.cfg.Permissions, c.User.Roles)
	if !c.AuthTime.IsZero() { // no person was there
		claims["auth_time"] = c.AuthTime.Unix()
	}
	for name, at := range map[string]time.Time{mfaTime: c.MFATime, passkeyTime: c.PasskeyTime} {
		if !at.IsZero() {
			claims[name] = at.Unix()
		}
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	t.Header["kid"], t.Header["typ"] = key.record.KID, typ
	signed, err := t.SignedString(key.private)
	if err == nil && len(signed) > maxToken {
		err = errors.New("issue access token: roles and names of this person are larger than a token may be")
	}
	if err != nil {
		return Issued{}, err
	}
	return Issued{Token: signed, JTI: jti, ExpiresIn: i.cfg.Access}, nil
}

// omitted is a private claim that says that permissions are left out, because they are more than a token may carry.
const omitted = "permissions_omitted"

// putPermissions adds the effective permissions of roles, whole or not at all.
func putPermissions(claims jwt.MapClaims, of func([]string) ([]string, bool), roles []string) {
	list, ok := []string(nil), true
	if of != nil {
		list, ok = of(roles)
	}
	if ok {
		claims["permissions"] = notNil(list)
	} else {
		claims[omitted] = true
	}
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
