package account

import (
	"context"
	"errors"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Ticket takes somebody who is signed in at the single sign-on host to another host: one use, 30 s, one host, one
// browser (SE-05).
func (a *Accounts) Ticket(ctx context.Context, p *identity.Principal, host string, flow [32]byte) (string, error) {
	user, ok := identity.ParseID(p.UserID)
	id, okSession := identity.ParseID(p.SessionID)
	if !ok || !okSession || p.Credential != identity.CredentialCookie {
		return "", &identity.Error{Code: identity.CodeForbidden, Detail: "This needs a session of this gateway."}
	}
	return session.Tickets{Moments: a.Cluster}.Issue(ctx, session.Ticket{Session: id, User: user, Host: host, Flow: flow})
}

// errTicket answers every ticket that does not work alike.
var errTicket = &identity.Error{Code: identity.CodeInvalidRequest, Detail: "This sign-in took too long, or was begun in another browser. Open the app again."}

// SignInWithTicket starts a session on the ticket's host. It ends with the session it came from.
func (a *Accounts) SignInWithTicket(ctx context.Context, code, host string, flow [32]byte, by By) (SignedIn, error) {
	ticket, ok, err := session.Tickets{Moments: a.Cluster}.Redeem(ctx, code, host, flow)
	if err != nil {
		return SignedIn{}, err
	}
	if !ok {
		return SignedIn{}, errTicket
	}
	var out SignedIn
	err = a.change(ctx, func(tx *store.Tx, eff *effects) error {
		parent, err := tx.SessionByID(ctx, ticket.Session)
		if errors.Is(err, store.ErrNotFound) || err == nil && (!parent.EndedAt.IsZero() || !a.Now().Before(parent.Expires)) {
			return errTicket
		}
		if err != nil {
			return err
		}
		user, err := tx.UserByID(ctx, ticket.User)
		if errors.Is(err, store.ErrNotFound) || err == nil && (user.Disabled || parent.Created.Before(user.NotBefore) || parent.UserID != user.ID) {
			return errTicket
		}
		if err != nil {
			return err
		}
		value, s, ended, err := a.Sessions.Start(ctx, tx, session.NewSession{User: user.User, Parent: parent.ID, Kind: session.Browser, Host: host,
			Proof: parent.Proof(), Remember: parent.Remember, IP: by.IP, UserAgent: by.UserAgent, Until: parent.Expires})
		if err != nil {
			return err
		}
		for _, id := range ended {
			if err := a.revokeSession(ctx, tx, eff, id, "session_limit"); err != nil {
				return err
			}
		}
		out = SignedIn{Secret: value, Session: s, User: user.User}
		e := by.event(audit.SessionCreated, "success")
		e.Actor = audit.Actor{ID: user.ID.String(), Name: user.Username}
		e.Session, e.Details = s.ID.String(), map[string]string{"from": parent.ID.String()}
		eff.audit(e)
		return nil
	})
	return out, err
}
