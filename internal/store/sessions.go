package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const sessionColumns = `s.id, s.secret_hash, s.user_id, s.parent, s.kind, s.host, s.created, s.auth_time, s.last_seen, s.idle, s.expires, s.remember,
	s.ip, s.user_agent, s.amr, s.acr, s.ended_at, s.end_reason`

func sessionFields(s *Session) (dest []any, done func()) {
	var sid, uid, parent, amr string
	var hash []byte
	var created, auth, seen, idle, expires, ended int64
	return []any{&sid, &hash, &uid, &parent, &s.Kind, &s.Host, &created, &auth, &seen, &idle, &expires, &s.Remember, &s.IP, &s.UserAgent, &amr,
			&s.ACR, &ended, &s.EndReason}, func() {
			s.ID, s.SecretHash, s.UserID, s.Parent, s.AMR = id(sid), hash32(hash), id(uid), id(parent), fromList(amr)
			s.Created, s.AuthTime, s.LastSeen, s.Expires, s.EndedAt = fromMS(created), fromMS(auth), fromMS(seen), fromMS(expires), fromMS(ended)
			s.Idle = time.Duration(idle) * time.Millisecond
		}
}

func scanSession(row scanner) (Session, error) {
	var s Session
	dest, done := sessionFields(&s)
	err := row.Scan(dest...)
	if err == nil {
		done()
	}
	return s, err
}

// CreateSession inserts a session with its user's row locked, and ends the longest unused ones beyond the limit, so
// that the limit holds under a race (SE-15) and never ends an active one before an idle one.
func (t *Tx) CreateSession(ctx context.Context, s Session, limit int) (ended []identity.ID, err error) {
	if err := t.must(ctx, "lock user", `UPDATE users SET last_seen = last_seen WHERE id = $1`, s.UserID.String()); err != nil {
		return nil, err
	}
	err = t.exec(ctx, "create session", `INSERT INTO sessions (id, secret_hash, user_id, parent, kind, host, created, auth_time, last_seen, idle,
		expires, remember, ip, user_agent, amr, acr, ended_at, end_reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, '')`,
		s.ID.String(), s.SecretHash[:], s.UserID.String(), idColumn(s.Parent), s.Kind, clean(s.Host), ms(s.Created), ms(s.AuthTime), ms(s.LastSeen),
		s.Idle.Milliseconds(), ms(s.Expires), s.Remember, clean(s.IP), clean(bounded(s.UserAgent, 512)), list(s.AMR), s.ACR)
	if err != nil {
		return nil, err
	}
	alive, err := t.ListSessions(ctx, s.UserID, s.Created)
	if err != nil || len(alive) <= limit {
		return nil, err
	}
	for _, old := range alive[limit:] { // newest use first
		if old.ID != s.ID {
			ended = append(ended, old.ID)
		}
	}
	return ended, nil
}

func bounded(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// SessionByHash reads a live session with its user in one round trip. Ended sessions are not found.
func (q *Queries) SessionByHash(ctx context.Context, hash [32]byte) (Session, UserRecord, error) {
	var s Session
	var u UserRecord
	sDest, sDone := sessionFields(&s)
	uDest, uDone := userFields(&u)
	err := q.db.QueryRowContext(ctx, `SELECT `+sessionColumns+`, `+userColumns+` FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.secret_hash = $1 AND s.ended_at = 0`, hash[:]).Scan(append(sDest, uDest...)...)
	if err == nil {
		sDone()
		uDone()
	}
	return s, u, q.wrap("read session", err)
}

// SessionByID reads a session in any state.
func (q *Queries) SessionByID(ctx context.Context, session identity.ID) (Session, error) {
	s, err := scanSession(q.db.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions s WHERE s.id = $1`, session.String()))
	return s, q.wrap("read session", err)
}

// RotateSession gives a live session a new secret (SE-02); false when the old one is not its secret any more.
func (q *Queries) RotateSession(ctx context.Context, session identity.ID, old, fresh [32]byte, authTime time.Time, amr []string, acr string) (bool, error) {
	n, err := q.changed(ctx, "rotate session", `UPDATE sessions SET secret_hash = $3, auth_time = $4, amr = $5, acr = $6
		WHERE id = $1 AND secret_hash = $2 AND ended_at = 0`, session.String(), old[:], fresh[:], ms(authTime), list(amr), acr)
	return n == 1, err
}

// EndSession ends a session; false when it had ended.
func (q *Queries) EndSession(ctx context.Context, session identity.ID, reason string, at time.Time) (bool, error) {
	n, err := q.changed(ctx, "end session", `UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at = 0`,
		session.String(), ms(at), reason)
	return n == 1, err
}

// EndUserSessions ends all sessions of a user but one, and names them.
func (q *Queries) EndUserSessions(ctx context.Context, user, except identity.ID, reason string, at time.Time) ([]identity.ID, error) {
	return each(ctx, q, "end sessions", scanID, `UPDATE sessions SET ended_at = $3, end_reason = $4
		WHERE user_id = $1 AND id <> $2 AND ended_at = 0 RETURNING id`, user.String(), idColumn(except), ms(at), reason)
}

func scanID(r *sql.Rows) (identity.ID, error) {
	var text string
	err := r.Scan(&text)
	return id(text), err
}

// SessionsTogether names the live sessions that came from one sign-in: the session at the single sign-on host and those
// that tickets made of it. At least the session itself.
func (q *Queries) SessionsTogether(ctx context.Context, session identity.ID) ([]identity.ID, error) {
	s, err := q.SessionByID(ctx, session)
	if errors.Is(err, ErrNotFound) {
		return []identity.ID{session}, nil // ended under its own id all the same
	}
	if err != nil {
		return nil, err
	}
	root := s.Parent
	if root.IsZero() {
		root = session
	}
	ids, err := each(ctx, q, "read sessions", scanID, `SELECT id FROM sessions WHERE (id = $1 OR parent = $1) AND ended_at = 0 AND id <> $2`,
		root.String(), session.String())
	return append([]identity.ID{session}, ids...), err
}

// ListSessions gives a user's live sessions, latest use first.
func (q *Queries) ListSessions(ctx context.Context, user identity.ID, now time.Time) ([]Session, error) {
	return each(ctx, q, "list sessions", func(r *sql.Rows) (Session, error) { return scanSession(r) }, `SELECT `+sessionColumns+` FROM sessions s
		WHERE s.user_id = $1 AND s.ended_at = 0 AND s.expires > $2 AND s.last_seen + s.idle > $2 ORDER BY s.last_seen DESC, s.created DESC, s.id`, user.String(), ms(now))
}

// ListAllSessions pages through live sessions.
func (q *Queries) ListAllSessions(ctx context.Context, f SessionFilter, now time.Time) (sessions []Session, next string, err error) {
	limit := pageSize(f.Limit)
	sessions, err = each(ctx, q, "list sessions", func(r *sql.Rows) (Session, error) { return scanSession(r) }, `SELECT `+sessionColumns+` FROM sessions s
		WHERE s.ended_at = 0 AND s.expires > $1 AND s.last_seen + s.idle > $1 AND s.id > $2 AND ($3 = '' OR s.user_id = $3) ORDER BY s.id LIMIT $4`,
		ms(now), fromCursor(f.Cursor), idColumn(f.UserID), limit+1)
	if len(sessions) > limit {
		sessions = sessions[:limit]
		next = cursor(sessions[limit-1].ID.String())
	}
	return sessions, next, err
}

// TouchSessions notes last uses; never backwards.
func (s *Store) TouchSessions(ctx context.Context, touches []Touch) error {
	return s.Tx(ctx, func(t *Tx) error {
		for _, touch := range touches {
			if err := t.exec(ctx, "touch session", `UPDATE sessions SET last_seen = $2 WHERE id = $1 AND last_seen < $2 AND ended_at = 0`,
				touch.ID.String(), ms(touch.LastSeen)); err != nil {
				return err
			}
		}
		return nil
	})
}

// CountSessions counts live sessions.
func (q *Queries) CountSessions(ctx context.Context, now time.Time) (int, error) {
	var n int
	err := q.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sessions WHERE ended_at = 0 AND expires > $1 AND last_seen + idle > $1`, ms(now)).Scan(&n)
	return n, q.wrap("count sessions", err)
}
