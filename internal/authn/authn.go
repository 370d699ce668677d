// Package authn turns what a request brings, a session cookie or a bearer token, into a verified principal. Gate and
// portal use the same code, so a credential means the same everywhere. It also owns the gateway's cookies: their names,
// how they are read, set and kept from apps.
package authn

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/loopback"
	"github.com/truxeio/caddy-truxe/internal/session"
)

// Client is who sent a request, as Caddy's trusted_proxies logic found it (R3).
type Client struct {
	Addr        string // "" or "@" when there is no address
	TrustedPeer bool   // the peer is in trusted_proxies
}

// Address parses Addr. Without an address it is the zero Addr.
func (c Client) Address() netip.Addr { return ParseAddress(c.Addr) }

// ParseAddress reads an address with or without a port, IPv4-mapped IPv6 as IPv4 and without a zone. It returns the
// zero Addr for anything else.
func ParseAddress(text string) netip.Addr {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		addr = at.Addr()
	}
	return addr.Unmap().WithZone("")
}

// Secure reports whether a request came over https, or over plain http where browsers keep Secure cookies all the same
// (loopback names), or through a trusted proxy that says https (CONTRACT section 2).
func (c Client) Secure(r *http.Request) bool {
	if r.TLS != nil || loopback.Host(r.Host) {
		return true
	}
	proto := r.Header["X-Forwarded-Proto"]
	return c.TrustedPeer && len(proto) == 1 && strings.EqualFold(proto[0], "https")
}

// Entry is a verified credential with its rendered header values. Requests share it: it is read-only.
type Entry struct {
	Principal *identity.Principal
	Values    *identityheader.Values
	// Renew says that the session is to get a new secret at its next navigation (SE-02).
	Renew bool
	// Assertions are what was signed for the upstreams of this credential.
	Assertions Assertions

	session *session.Live[Entry] // of a cookie
	token   *ownToken            // of an access token of ours
}

// Sessions finds the entry of a session cookie. No entry without an error is "not signed in".
type Sessions interface {
	Find(ctx context.Context, cookie, host string) (*Entry, error)
	// Used marks activity; it must not block.
	Used(e *Entry)
}

// Tokens finds the entry of a bearer token.
type Tokens interface {
	// Ours reports whether a bearer value is the gateway's to judge (CONTRACT section 3).
	Ours(raw string) bool
	// Find verifies; cached reports that no signature had to be checked. Errors are *identity.Error.
	Find(ctx context.Context, raw string) (e *Entry, cached bool, err error)
	// Used marks activity of the session that the token is of, if it has one here; it must not block.
	Used(e *Entry)
}

// Revocations is the node's own copy of what is revoked: no round trip.
type Revocations interface {
	// Ready is false when the copy can no longer be believed (R4).
	Ready() bool
	// Refused returns why a principal is refused, "" when it is not.
	Refused(p *identity.Principal) identity.Code
}

// Verifier finds principals.
type Verifier struct {
	Sessions    Sessions
	Tokens      Tokens
	Revocations Revocations
	Renewer     Renewer // nil: sessions keep their secrets
	// OnRefused hears why a bearer token was refused; nil: nothing does. It must not block.
	OnRefused func(why error)
}

// Used marks activity of an entry's session.
func (v *Verifier) Used(e *Entry) {
	if e.Principal.Credential == identity.CredentialCookie {
		v.Sessions.Used(e)
		return
	}
	v.Tokens.Used(e)
}

// Found is what a credential turned out to be.
type Found struct {
	Entry *Entry
	Path  string // what it cost: "public" (nothing was sent), "cookie", "bearer_cached", "bearer_cold"
}

// Verify turns a credential into a principal that is not revoked; no entry without an error is an anonymous visitor.
// A bearer token of ours decides alone: broken or revoked it is an error, never a reason to look at the cookie.
func (v *Verifier) Verify(ctx context.Context, c Credential, host string) (Found, error) {
	switch {
	case c.Bearer != "":
		e, cached, err := v.Tokens.Find(ctx, c.Bearer)
		f := Found{Path: "bearer_cold"}
		if cached {
			f.Path = "bearer_cached"
		}
		if err == nil && v.Revocations.Refused(e.Principal) != "" {
			err = errRevoked
		}
		if err != nil {
			if why := Refusal(err); why != nil && v.OnRefused != nil {
				v.OnRefused(why)
			}
			return f, err
		}
		f.Entry = e
		return f, nil
	case c.Cookies == 1:
		f := Found{Path: "cookie"}
		e, err := v.Sessions.Find(ctx, c.Cookie, host)
		if err == nil && e != nil && v.Revocations.Refused(e.Principal) == "" {
			f.Entry = e
		}
		return f, err
	}
	return Found{Path: "public"}, nil
}

var errRevoked = identity.InvalidToken(errors.New("access token: it or its session was revoked"))

// Refusal returns why a bearer token was refused, for logs and explanations: it names a part of the token and no value.
// nil for any other error.
func Refusal(err error) error {
	var known *identity.Error
	if !errors.As(err, &known) || known.Code != identity.CodeInvalidToken {
		return nil
	}
	return known.Err
}
