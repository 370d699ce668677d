package signin

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// announcing is a table of sessions that says when one is about to be written.
type announcing struct {
	sessions.Table
	starts chan struct{}
}

func (a announcing) Start(ctx context.Context, tx session.Writer, n session.NewSession) (string, store.Session,
	[]identity.ID, error) {
	close(a.starts)
	return a.Table.Start(ctx, tx, n)
}

// SE-05 R4: an attacker who redeems a ticket while its user signs out, here or everywhere, keeps no session by it.
func TestTicketRedeemedDuringASignOutLeavesNoSession(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		for how, end := range map[string]func(tx *change.Tx, s store.Session) error{
			"everywhere": func(tx *change.Tx, s store.Session) error {
				return tx.RevokeUser(context.Background(), s.UserID, identity.ID{}, "signed_out_everywhere")
			},
			"here": func(tx *change.Tx, s store.Session) error {
				if err := tx.LockUser(context.Background(), s.UserID); err != nil {
					return err
				}
				return tx.RevokeSession(context.Background(), s.ID, "logout")
			},
		} {
			ctx := context.Background()
			b := n.browser(n.make("eve-" + how))
			must2(b.password(password))(t)
			flow := [32]byte{1}
			code, err := n.Tickets.Issue(ctx, b.by().Principal, "other.example.com", flow)
			must(t, err)
			starts := make(chan struct{})
			tickets := sessions.Tickets{Tickets: n.Tickets.Tickets, Sessions: &sessions.Sessions{Changes: n.rig.Changes,
				Table: announcing{n.rig.Sessions, starts}}}
			redeemed := make(chan error, 1)
			must(t, n.rig.Changes.Run(ctx, func(tx *change.Tx) error {
				if err := end(tx, b.signed.Session); err != nil {
					return err
				}
				go func() {
					_, err := tickets.SignIn(ctx, code, "other.example.com", flow, change.By{Host: "other.example.com"})
					redeemed <- err
				}()
				select {
				case <-starts: // it has found the session alive
				case <-time.After(200 * time.Millisecond): // it waits for the row of the user
				}
				return nil
			}))
			if err := <-redeemed; identity.CodeOf(err) != identity.CodeInvalidRequest {
				t.Errorf("%s: the ticket is redeemed: %v", how, err)
			}
			if live, err := n.Sessions.List(ctx, b.user.ID); err != nil || len(live) != 0 {
				t.Errorf("%s: %d sessions are left, %v", how, len(live), err)
			}
		}
	})
}

// AU-01: a session that ends because another one takes its place has its audit event.
func TestSessionThatAnotherOneReplacesIsAudited(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	ada, bob := n.browser(n.make("ada")), n.browser(n.make("bob"))
	must2(ada.password(password))(t)
	must2(bob.password(password))(t)
	flow := [32]byte{1}
	app := ada.stranger()
	app.host = "other.example.com"
	ticket := func(from *browser) string {
		code, err := n.Tickets.Issue(ctx, from.by().Principal, app.host, flow)
		must(t, err)
		return code
	}
	must2(app.takeOpened(n.Tickets.SignIn(ctx, ticket(ada), app.host, flow, app.by())))(t)
	former := app.signed.Session.ID
	must2(app.takeOpened(n.Tickets.Redeem(ctx, ticket(bob), app.host, flow, app.by())))(t)
	rows, err := n.st.ListAudit(ctx, store.AuditFilter{Event: audit.SessionRevoked})
	if must(t, err); len(rows) != 1 || !strings.Contains(string(rows[0].Line), former.String()) ||
		!strings.Contains(string(rows[0].Line), `"reason":"new_sign_in"`) {
		t.Errorf("%d events: %+v", len(rows), rows)
	}
	over := n.audited(audit.SessionRevoked)
	for range 10 { // the limit of sessions is 10
		must2(ada.stranger().password(password))(t)
	}
	if n.audited(audit.SessionRevoked) == over {
		t.Error("a session beyond the limit ended without an audit event")
	}
}
