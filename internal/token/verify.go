package token

import (
	"context"
	"crypto"
	"fmt"
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
	own    ownIssuers
	trust  map[string]*Trust
	times  *jwt.Validator
}

// verifiers numbers the verifiers of a process: what one of them verified, another with other settings did not.
var verifiers atomic.Uint64

// NewVerifier returns a verifier.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	v := &Verifier{cfg: cfg, number: verifiers.Add(1), own: newOwnIssuers(cfg.Issuers), trust: map[string]*Trust{}}
	if err := CheckIssuers(cfg.Issuers, cfg.Trust); err != nil {
		return nil, err
	}
	for _, t := range cfg.Trust {
		v.trust[t.cfg.Issuer] = t
	}
	v.times = jwt.NewValidator(jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithIssuedAt(),
		jwt.WithTimeFunc(cfg.Now))
	return v, nil
}

// CheckIssuers refuses a trusted issuer that is configured twice or is one of our own, so that each issuer has one set
// of keys. One that only fits the pattern of a wildcard site is an identity provider at a name below it: Verify looks
// for trusted issuers first.
func CheckIssuers(own []string, trust []*Trust) error {
	ours, seen := newOwnIssuers(own), map[string]bool{}
	for _, t := range trust {
		switch {
		case ours.exact[t.cfg.Issuer]:
			return fmt.Errorf("trust %s: this is the gateway's own issuer, whose tokens are accepted anyway; remove the block",
				t.cfg.Issuer)
		case seen[t.cfg.Issuer]:
			return fmt.Errorf("trust %s: this issuer is named twice; keep one block", t.cfg.Issuer)
		}
		seen[t.cfg.Issuer] = true
	}
	return nil
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

// Verify judges a token. Refusals are *identity.Error with CodeInvalidToken, or CodeStateUnavailable when the keys of a
// trusted issuer are unavailable.
//
// Verify parses strictly itself. The library checks signature and times of what was parsed here; its own parser is not
// used, since attacks rely on two readings of one token (RFC 8725 2.6). A token ends at its exp to the second. The
// leeway is for nbf and iat, where a fast clock elsewhere would make a fresh token useless; a token that ends early on
// a fast node is only refreshed early. So cache, open streams and introspection all end when the token says.
func (v *Verifier) Verify(ctx context.Context, raw string) (*identity.Principal, error) {
	p, issuer, err := v.verify(ctx, raw)
	if r := RefusalOf(err); r != nil {
		r.Issuer = issuer
	}
	return p, err
}

// verify also returns which of the configured issuers the token names; "" when none.
func (v *Verifier) verify(ctx context.Context, raw string) (p *identity.Principal, issuer string, err error) {
	head, body, sig, err := segments(raw)
	if err != nil {
		return nil, "", err
	}
	h, err := object(head)
	if err != nil {
		return nil, "", err
	}
	claims, err := object(body)
	if err != nil {
		return nil, "", err
	}
	issuer = text(claims, "iss") // not verified yet: it only chooses whose keys may verify (JW-09)
	trust, profile := v.trust[issuer], ownProfile
	if trust != nil {
		profile = trust.profile
	} else if !v.own.has(issuer) {
		return nil, "", bad("its iss is not an issuer that is known here")
	}
	wanted, err := profile.checkHeader(h)
	if err != nil {
		return nil, issuer, err
	}
	if err := v.checkClaims(claims, trust, wanted.plain); err != nil {
		return nil, issuer, err
	}
	key, err := v.key(ctx, trust, wanted)
	if err != nil {
		return nil, issuer, err
	}
	if algorithms[wanted.alg].method.Verify(raw[:strings.LastIndexByte(raw, '.')], sig, key) != nil {
		return nil, issuer, bad("its signature is wrong")
	}
	if v.times.Validate(jwt.MapClaims(claims)) != nil {
		return nil, issuer, bad("its exp, nbf or iat is not now")
	}
	if trust != nil {
		p, err = trust.principal(raw, claims)
	} else {
		p, err = ownPrincipal(claims)
	}
	return p, issuer, err
}

// checkClaims is what can be refused without a key, so that no invented token makes us fetch one.
func (v *Verifier) checkClaims(claims map[string]any, trust *Trust, plain bool) error {
	// RFC 9068 2.2
	for name, required := range map[string]bool{"exp": true, "iat": !plain, "nbf": false, "auth_time": false} {
		if err := checkTime(claims, name, required); err != nil {
			return err
		}
	}
	now := v.cfg.Now()
	if !now.Before(unix(claims, "exp")) {
		return bad("it has expired")
	}
	if unix(claims, "auth_time").After(now.Add(leeway)) {
		return bad("its auth_time is to come")
	}
	audience := v.cfg.Audience
	if trust != nil {
		audience = trust.cfg.Audience
	}
	if !hasAudience(claims["aud"], audience) {
		return bad("its aud names no audience that is configured")
	}
	if plain {
		if why := otherUse(claims); why != "" {
			return bad(why)
		}
	}
	return nil
}

// key returns a key of this issuer. A key that belongs to another issuer is unknown here (JW-09).
func (v *Verifier) key(ctx context.Context, trust *Trust, h header) (crypto.PublicKey, error) {
	if trust != nil {
		return trust.key(ctx, h)
	}
	if key := v.cfg.Ring.public(h.kid); key != nil {
		return key, nil
	}
	return nil, bad(unknownKey)
}

const unknownKey = "its kid is no key of its issuer"
