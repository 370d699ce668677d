package console

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// SessionRow is a session as operators see it.
type SessionRow struct {
	ID        string   `json:"id"`
	UserID    string   `json:"user_id"`
	Username  string   `json:"username"`
	Host      string   `json:"host"`
	Kind      string   `json:"kind"`
	IP        string   `json:"ip"`
	UserAgent string   `json:"user_agent"`
	Created   string   `json:"created"`
	LastSeen  string   `json:"last_seen"`
	Expires   string   `json:"expires"`
	AMR       []string `json:"amr"`
}

// SessionQuery selects live sessions.
type SessionQuery struct {
	User   string `json:"user"` // only those of this user; "": of all
	Cursor string `json:"cursor"`
	Limit  int    `json:"limit"`
}

// ListSessions returns a page of live sessions.
func (c *Console) ListSessions(ctx context.Context, in SessionQuery) (Page[SessionRow], error) {
	filter := store.SessionFilter{Cursor: in.Cursor, Limit: in.Limit}
	if in.User != "" {
		u, err := findUser(ctx, c.Store, in.User)
		if err != nil {
			return Page[SessionRow]{}, err
		}
		filter.UserID = u.ID
	}
	sessions, next, err := c.Store.ListAllSessions(ctx, filter, c.Now())
	if err != nil {
		return Page[SessionRow]{}, err
	}
	out := Page[SessionRow]{Items: []SessionRow{}, NextCursor: next}
	names := map[identity.ID]string{}
	for _, s := range sessions {
		name, ok := names[s.UserID]
		if !ok {
			if u, err := c.Store.UserByID(ctx, s.UserID); err == nil {
				name = u.Username
			}
			names[s.UserID] = name
		}
		out.Items = append(out.Items, SessionRow{ID: s.ID.String(), UserID: s.UserID.String(), Username: name, Host: s.Host,
			Kind: s.Kind, IP: s.IP,
			UserAgent: s.UserAgent, Created: stamp(s.Created), LastSeen: stamp(s.LastSeen), Expires: stamp(s.Expires),
			AMR: s.AMR})
	}
	return out, nil
}

// SessionArg names one session, or all of a user.
type SessionArg struct {
	User    string `json:"user"`
	Session string `json:"session"` // its id; only without User
}

// RevokeSessions ends a session, or all of a user.
func (c *Console) RevokeSessions(ctx context.Context, by change.By, in SessionArg) (Message, error) {
	if in.User != "" {
		u, err := findUser(ctx, c.Store, in.User)
		if err != nil {
			return Message{}, err
		}
		if err := c.SignIn.Sessions.EndAll(ctx, by, u.ID, identity.ID{}, "revoked"); err != nil {
			return Message{}, err
		}
		return Message{Message: "all sessions of " + u.Username + " have ended", ID: u.ID.String()}, nil
	}
	id, ok := identity.ParseID(in.Session)
	if !ok {
		return Message{}, identity.Invalid("a session id has 26 letters and digits; see: caddy truxe sessions list")
	}
	s, err := c.Store.SessionByID(ctx, id)
	if err != nil {
		return Message{}, identity.NotFound("there is no such session").Because(err)
	}
	if err := c.SignIn.Sessions.End(ctx, by, s.UserID, id); err != nil {
		return Message{}, err
	}
	return Message{Message: "the session has ended", ID: id.String()}, nil
}
