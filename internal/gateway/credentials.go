package gateway

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// sessionEntry is what is attached to a session in memory: its entry, with the header values rendered once.
type sessionEntry struct {
	authn.Entry
	live *session.Live
}

// cookieSessions finds entries in the session table.
type cookieSessions struct {
	table    *session.Table
	renewals *session.Renewals
}

// Find implements authn.Sessions.
func (c *cookieSessions) Find(ctx context.Context, cookie, host string) (*authn.Entry, error) {
	live, err := c.table.Find(ctx, cookie, host)
	if err != nil || live == nil {
		return nil, err
	}
	if e, ok := live.Attached().(*sessionEntry); ok {
		return &e.Entry, nil
	}
	e := &sessionEntry{Entry: authn.Entry{Principal: &live.Principal, Values: identityheader.Render(&live.Principal)}, live: live}
	e.Renew = c.renewals.Wants(cookie)
	e.Owner = e
	live.Attach(e)
	return &e.Entry, nil
}

// Used implements authn.Sessions.
func (c *cookieSessions) Used(e *authn.Entry) {
	if own, ok := e.Owner.(*sessionEntry); ok {
		c.table.Used(own.live)
	}
}

// bearerTokens finds entries of access tokens, in the cache or by verifying.
type bearerTokens struct {
	verifier  *token.Verifier
	cache     *token.Cache
	standings *standings
	sessions  *session.Table
	now       func() time.Time
}

// tokenOwner is whose token of ours an entry is for.
type tokenOwner struct {
	*standing
	user, session identity.ID
	used          session.LastUse
}

// purgeAssertions keeps tokens that rest from holding a kilobyte for every host they were sent to (OP-06). What is left is
// bounded by what the processors could sign in two minutes. Sessions hold one at most, and their table bounds them.
func (e *Engine) purgeAssertions() {
	now := e.cfg.Now()
	e.cache.Each(func(attachment any) {
		if entry, ok := attachment.(*authn.Entry); ok {
			entry.Assertions.Purge(now)
		}
	})
}

// Ours implements authn.Tokens.
func (b *bearerTokens) Ours(raw string) bool { return b.verifier.Ours(raw) }

// Find implements authn.Tokens. A token of ours stands for somebody as they are now: its roles are those of the database, not
// those it was signed with.
func (b *bearerTokens) Find(ctx context.Context, raw string) (*authn.Entry, bool, error) {
	generation := b.verifier.Generation()
	var p *identity.Principal
	if e, ok := b.cache.Get(raw, generation, b.now().Unix()); ok {
		entry := e.(*authn.Entry)
		if owner, ours := entry.Owner.(*tokenOwner); !ours || !owner.gone.Load() {
			return entry, true, nil
		}
		changed := *entry.Principal // requests under way share it
		p = &changed
	}
	if p == nil {
		var err error
		if p, err = b.verifier.Verify(ctx, raw); err != nil {
			return nil, false, err
		}
	}
	e := &authn.Entry{Principal: p}
	if id, ours := identity.ParseID(p.UserID); ours { // a trusted issuer's people are "<issuer>|<subject>"
		st, err := b.standings.of(ctx, id)
		if err != nil {
			return nil, false, err
		}
		owner := &tokenOwner{standing: st, user: id}
		owner.session, _ = identity.ParseID(p.SessionID)
		p.Roles, e.Owner = st.roles, owner
	}
	e.Values = identityheader.Render(p)
	b.cache.Put(raw, generation, p, e)
	return e, false, nil
}

// Used implements authn.Tokens. The tokens of trusted issuers have no session here.
func (b *bearerTokens) Used(e *authn.Entry) {
	if owner, ours := e.Owner.(*tokenOwner); ours {
		b.sessions.UsedByToken(owner.session, owner.user, &owner.used)
	}
}
