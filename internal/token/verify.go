package token

import (
	"context"
	"crypto/rsa"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// VerifierConfig of a Verifier.
type VerifierConfig struct {
	Ring     *Ring
	Issuers  []string // every `iss` that our own tokens may have; a star in it is one label of a host name
	Audience []string // our own
	Trust    []*Trust
	Now      func() time.Time
}

// Verifier judges access tokens.
type Verifier struct {
	cfg    VerifierConfig
	number uint64
	own    map[string]bool
	wild   []issuerPattern
	trust  map[string]*Trust
	times  *jwt.Validator
}

// verifiers numbers the verifiers of a process: what one of them verified, another with other settings did not.
var verifiers atomic.Uint64

// NewVerifier makes a verifier.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	v := &Verifier{cfg: cfg, number: verifiers.Add(1), own: map[string]bool{}, trust: map[string]*Trust{}}
	for _, iss := range cfg.Issuers {
		if strings.Contains(iss, "*") {
			v.wild = append(v.wild, issuerPattern(iss))
		} else if iss != "" {
			v.own[iss] = true
		}
	}
	for _, t := range cfg.Trust {
		if v.owns(t.cfg.Issuer) || v.trust[t.cfg.Issuer] != nil {
			return nil, errors.New("trust " + t.cfg.Issuer + ": this issuer is our own or stands twice")
		}
		v.trust[t.cfg.Issuer] = t
	}
	v.times = jwt.NewValidator(jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithIssuedAt(), jwt.WithTimeFunc(cfg.Now))
	return v, nil
}

// Generation changes when keys or settings do; what was verified under another one counts no more (JW-16). Read it
// before Verify, and store the result under what was read: a key that goes in between then leaves no trace.
func (v *Verifier) Generation() uint64 {
	n := v.cfg.Ring.Generation()
	for _, t := range v.cfg.Trust {
		n += t.generation.Load() // all of them only grow, so no sum comes back
	}
	return v.number<<32 + n
}

// bad is every refusal; why is for the log and names a part of a token, never its value.
func bad(why string) error {
	return &identity.Error{Code: identity.CodeInvalidToken, Detail: "The access token is not valid, has expired or was revoked.", Err: errors.New("access token: " + why)}
}

// Verify judges a token. Refusals are *identity.Error with CodeInvalidToken, or CodeStateUnavailable when the keys of a
// trusted issuer cannot be had.
//
// Strict reading comes first and on our own account. Signature and times are the library's, on what was read here: its
// parser is not asked, since two readings of one token are what attacks live on (RFC 8725 2.6). A token ends at its exp to the second: the leeway is for nbf and iat, where a fast clock elsewhere would make a
// fresh token useless, while a token that ends early on a fast node is only refreshed early. So cache, open streams and
// introspection all end where the token says.
func (v *Verifier) Verify(ctx context.Context, raw string) (*identity.Principal, error) {
	head, body, sig, err := segments(raw)
	if err != nil {
		return nil, err
	}
	h, err := object(head)
	if err != nil {
		return nil, err
	}
	kid, err := checkHeader(h)
	if err != nil {
		return nil, err
	}
	claims, err := object(body)
	if err != nil {
		return nil, err
	}
	iss := text(claims, "iss") // not verified yet: it only chooses whose keys may verify (JW-09)
	trust := v.trust[iss]
	if !v.owns(iss) && trust == nil {
		return nil, bad("iss")
	}
	if err := v.checkClaims(claims, trust); err != nil {
		return nil, err
	}
	key, err := v.key(ctx, trust, kid)
	if err != nil {
		return nil, err
	}
	if jwt.SigningMethodRS256.Verify(raw[:strings.LastIndexByte(raw, '.')], sig, key) != nil { // checkHeader took RS256 only
		return nil, bad("signature")
	}
	if v.times.Validate(jwt.MapClaims(claims)) != nil {
		return nil, bad("exp, nbf or iat")
	}
	if trust != nil {
		return trust.principal(raw, claims)
	}
	return ownPrincipal(claims)
}

// checkClaims is what can be refused without a key, so that no invented token makes us fetch one.
func (v *Verifier) checkClaims(claims map[string]any, trust *Trust) error {
	for name, required := range map[string]bool{"exp": true, "iat": true, "nbf": false, "auth_time": false} { // RFC 9068 2.2
		if err := checkTime(claims, name, required); err != nil {
			return err
		}
	}
	now := v.cfg.Now()
	if !now.Before(unix(claims, "exp")) {
		return bad("exp")
	}
	if unix(claims, "auth_time").After(now.Add(leeway)) {
		return bad("auth_time")
	}
	audience := v.cfg.Audience
	if trust != nil {
		audience = trust.cfg.Audience
	}
	if !hasAudience(claims["aud"], audience) {
		return bad("aud")
	}
	return nil
}

// key finds a key of this issuer: one that another issuer's token names is unknown here.
func (v *Verifier) key(ctx context.Context, trust *Trust, kid string) (*rsa.PublicKey, error) {
	if trust != nil {
		return trust.key(ctx, kid)
	}
	if key := v.cfg.Ring.public(kid); key != nil {
		return key, nil
	}
	return nil, bad("kid")
}
