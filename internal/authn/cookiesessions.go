package authn

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/session"
)

// CookieSessions finds the entries of session cookies in the session table. It implements Sessions.
type CookieSessions struct {
	Table    *session.Table[Entry]
	Renewals *session.Renewals
}

// Find implements Sessions.
func (c *CookieSessions) Find(ctx context.Context, cookie, host string) (*Entry, error) {
	live, err := c.Table.Find(ctx, cookie, host)
	if err != nil || live == nil {
		return nil, err
	}
	if e := live.Attached(); e != nil {
		return e, nil
	}
	e := &Entry{Principal: &live.Principal, Values: identityheader.Render(&live.Principal),
		Renew: c.Renewals.Wants(cookie), session: live}
	live.Attach(e)
	return e, nil
}

// Used implements Sessions.
func (c *CookieSessions) Used(e *Entry) {
	if e.session != nil {
		c.Table.Used(e.session)
	}
}
