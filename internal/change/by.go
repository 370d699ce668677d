package change

import (
	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// By says who makes a change, and from where, for the audit log.
type By struct {
	Principal *identity.Principal // nil: an anonymous visitor or the command line
	Via       string              // "cli" for the command line, "users_file", "setup", "environment"; "" for a user
	IP        string
	UserAgent string
	Host      string
}

// Event returns an audit event whose actor is by.
func (b By) Event(name, outcome string) audit.Event {
	e := audit.Event{Event: name, Outcome: outcome, IP: b.IP, UserAgent: b.UserAgent, Host: b.Host}
	if p := b.Principal; p != nil {
		e.Actor = audit.Actor{ID: p.UserID, Name: p.Username}
		e.Session = p.SessionID
	} else if b.Via != "" {
		e.Actor = audit.Actor{Name: b.Via}
	}
	return e
}

// UserEvent returns the audit event of a successful change to a user.
func (b By) UserEvent(name string, u identity.User) audit.Event {
	e := b.Event(name, "success")
	e.Subject = audit.Subject{ID: u.ID.String(), Name: u.Username}
	return e
}
