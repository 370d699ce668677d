package authn

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// BearerTokens finds the entries of access tokens, in the cache or by verifying them. It implements Tokens.
type BearerTokens struct {
	Verifier *token.Verifier
	Cache    *token.Cache[*Entry]
	Roles    *CurrentRoles
	Sessions *session.Table[Entry]
	Now      func() time.Time
}

// ownToken is whose token of ours an entry is for.
type ownToken struct {
	*userRoles
	user, session identity.ID
	used          session.LastUse
}

// Ours implements Tokens.
func (b *BearerTokens) Ours(raw string) bool { return b.Verifier.Ours(raw) }

// Find implements Tokens. A token of ours shows its user as of now: the roles are those of the database,
// not those that the token was signed with.
func (b *BearerTokens) Find(ctx context.Context, raw string) (*Entry, bool, error) {
	generation := b.Verifier.Generation()
	var p *identity.Principal
	if e, ok := b.Cache.Get(raw, generation, b.Now().Unix()); ok {
		if e.token == nil || !e.token.stale.Load() {
			return e, true, nil
		}
		changed := *e.Principal // requests under way share it
		p = &changed
	}
	if p == nil {
		var err error
		if p, err = b.Verifier.Verify(ctx, raw); err != nil {
			return nil, false, err
		}
	}
	e := &Entry{Principal: p}
	if id, ours := identity.ParseID(p.UserID); ours { // a trusted issuer's users are "<issuer>|<subject>"
		roles, err := b.Roles.of(ctx, id)
		if err != nil {
			return nil, false, err
		}
		e.token = &ownToken{userRoles: roles, user: id}
		e.token.session, _ = identity.ParseID(p.SessionID)
		p.Roles = roles.roles
	}
	e.Values = identityheader.Render(p)
	b.Cache.Put(raw, generation, p, e)
	return e, false, nil
}

// Used implements Tokens. The tokens of trusted issuers have no session here.
func (b *BearerTokens) Used(e *Entry) {
	if t := e.token; t != nil {
		b.Sessions.UsedByToken(t.session, t.user, &t.used)
	}
}

// PurgeAssertions keeps tokens that are not in use from holding a kilobyte for every host they were sent to (OP-06).
// What is left is bounded by what the processors could sign in two minutes. Sessions hold one at most, and their table
// bounds them.
func PurgeAssertions(cache *token.Cache[*Entry], now time.Time) {
	cache.Each(func(e *Entry) { e.Assertions.Purge(now) })
}
