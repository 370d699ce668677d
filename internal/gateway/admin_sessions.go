package gateway

import (
	"context"
	"encoding/json"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// SessionRow is a session as the command line shows it.
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

func adminSessionsList(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		User   string `json:"user"`
		Cursor string `json:"cursor"`
		Limit  int    `json:"limit"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	filter := store.SessionFilter{Cursor: in.Cursor, Limit: in.Limit}
	if in.User != "" {
		u, err := named(ctx, g, in.User)
		if err != nil {
			return nil, err
		}
		filter.UserID = u.ID
	}
	sessions, next, err := g.engine.store.ListAllSessions(ctx, filter, g.now())
	if err != nil {
		return nil, err
	}
	out := listOf[SessionRow]{Items: []SessionRow{}, NextCursor: next}
	names := map[identity.ID]string{}
	for _, s := range sessions {
		name, ok := names[s.UserID]
		if !ok {
			if u, err := g.engine.store.UserByID(ctx, s.UserID); err == nil {
				name = u.Username
			}
			names[s.UserID] = name
		}
		out.Items = append(out.Items, SessionRow{ID: s.ID.String(), UserID: s.UserID.String(), Username: name, Host: s.Host, Kind: s.Kind, IP: s.IP,
			UserAgent: s.UserAgent, Created: stamp(s.Created), LastSeen: stamp(s.LastSeen), Expires: stamp(s.Expires), AMR: s.AMR})
	}
	return out, nil
}

func adminSessionsRevoke(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		User    string `json:"user"`
		Session string `json:"session"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	if in.User != "" {
		u, err := named(ctx, g, in.User)
		if err != nil {
			return nil, err
		}
		if err := g.signin.Sessions.EndAll(ctx, byCommandLine, u.ID, identity.ID{}, "revoked"); err != nil {
			return nil, err
		}
		return said{Message: "all sessions of " + u.Username + " have ended", ID: u.ID.String()}, nil
	}
	id, ok := identity.ParseID(in.Session)
	if !ok {
		return nil, &identity.Error{Code: identity.CodeInvalidRequest, Detail: "a session id has 26 letters and digits; see: caddy truxe sessions list"}
	}
	s, err := g.engine.store.SessionByID(ctx, id)
	if err != nil {
		return nil, &identity.Error{Code: identity.CodeNotFound, Detail: "there is no such session", Err: err}
	}
	if err := g.signin.Sessions.End(ctx, byCommandLine, s.UserID, id); err != nil {
		return nil, err
	}
	return said{Message: "the session has ended", ID: id.String()}, nil
}

func adminKeysList(_ context.Context, g *Gateway, _ json.RawMessage) (any, error) {
	return map[string]any{"items": g.engine.ring.List(g.now())}, nil
}

func adminKeysRotate(ctx context.Context, g *Gateway, _ json.RawMessage) (any, error) {
	info, err := g.changes.RotateKeys(ctx, byCommandLine, g.engine.ring)
	if err != nil {
		return nil, err
	}
	return info, nil
}

// auditArguments filter the log.
type auditArguments struct {
	Limit     int    `json:"limit"`
	Event     string `json:"event"`
	User      string `json:"user"`
	Reference string `json:"reference"`
	After     int64  `json:"after"`
}

func (g *Gateway) auditRows(ctx context.Context, raw json.RawMessage) ([]store.AuditRow, auditArguments, error) {
	var in auditArguments
	if err := read(raw, &in); err != nil {
		return nil, in, err
	}
	filter := store.AuditFilter{After: in.After, Event: in.Event, Reference: in.Reference, Limit: in.Limit, Ascending: in.After > 0}
	if in.User != "" {
		u, err := named(ctx, g, in.User)
		if err != nil {
			return nil, in, err
		}
		filter.PersonID = u.ID.String()
	}
	rows, err := g.engine.store.ListAudit(ctx, filter)
	return rows, in, err
}

func adminAuditList(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	rows, _, err := g.auditRows(ctx, raw)
	if err != nil {
		return nil, err
	}
	items := make([]json.RawMessage, len(rows))
	for i, r := range rows {
		items[i] = r.Line
	}
	return listOf[json.RawMessage]{Items: items}, nil
}

// adminAuditTail gives rows oldest first and the number to ask from next.
func adminAuditTail(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	rows, in, err := g.auditRows(ctx, raw)
	if err != nil {
		return nil, err
	}
	items, last := make([]json.RawMessage, len(rows)), in.After
	for i, r := range rows {
		at := i
		if in.After == 0 {
			at = len(rows) - 1 - i // newest first
		}
		items[at] = r.Line
		last = max(last, r.Seq)
	}
	return map[string]any{"items": items, "last": last}, nil
}

func adminAuditVerify(ctx context.Context, g *Gateway, _ json.RawMessage) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	return audit.VerifyStore(ctx, g.engine.store)
}
