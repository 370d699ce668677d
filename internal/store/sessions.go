package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const sessionColumns = "id, secret_hash, user_id, parent, kind, host, created, auth_time, last_seen, idle, expires, remember, ip, user_agent, amr, acr, ended_at, end_reason, mfa_time, passkey_time"

// aliveAt is the condition of a session that has neither ended nor expired at $1.
const aliveAt = "ended_at = 0 AND expires > $1 AND last_seen + idle > $1"

func sessionDest(s *Session) []any {
	return []any{scanID{&s.ID}, scanHash{&s.SecretHash}, scanID{&s.UserID}, scanIDOrNone{&s.Parent}, &s.Kind, &s.Host,
		scanTime{&s.Created},
		scanTime{&s.AuthTime}, scanTime{&s.LastSeen}, scanDuration{&s.Idle}, scanTime{&s.Expires}, scanFlag{&s.Remember},
		&s.IP, &s.UserAgent,
		scanList{&s.AMR}, &s.ACR, scanTime{&s.EndedAt}, &s.EndReason, scanTime{&s.MFATime}, scanTime{&s.PasskeyTime}}
}

// CreateSession adds a session. With limit > 0 the user has at most limit living ones of its kind afterwards. The
// longest unused end with reason "session_limit" and are returned. So a program that signs in at every run ends no
// browser's session. The user's row is locked, so that racing sign-ins on all nodes keep the limit (SE-15). ErrNotFound
// when the user is gone.
func (q *Queries) CreateSession(ctx context.Context, s Session, limit int) (ended []identity.ID, err error) {
	if err := storable(s.Kind, s.Host, s.ACR); err != nil {
		return nil, wrap("create session", err)
	}
	err = q.atomic(ctx, func(q *Queries) error {
		ended = nil
		if err := q.lockUser(ctx, s.UserID); err != nil {
			return err
		}
		if limit > 0 {
			if ended, err = q.endOverLimit(ctx, s, limit-1); err != nil {
				return err
			}
		}
		_, err := q.exec(ctx, "create session", "INSERT INTO sessions ("+sessionColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, '', $17, $18)`,
			s.ID.String(), s.SecretHash[:], s.UserID.String(), idOrNone(s.Parent), s.Kind, s.Host, ms(s.Created),
			ms(s.AuthTime),
			ms(s.LastSeen),
			s.Idle.Milliseconds(), ms(s.Expires), flag(s.Remember), note(s.IP), note(s.UserAgent), list(s.AMR), s.ACR,
			ms(s.MFATime), ms(s.PasskeyTime))
		return taken(err, "session")
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

// endOverLimit ends the longest unused living sessions of a new session's user and kind until keep are left.
func (q *Queries) endOverLimit(ctx context.Context, s Session, keep int) ([]identity.ID, error) {
	var alive, ended []identity.ID
	err := q.rows(ctx, writing, "read sessions", "SELECT id FROM sessions WHERE "+aliveAt+
		" AND user_id = $2 AND kind = $3 ORDER BY last_seen DESC, created DESC, id",
		[]any{ms(s.Created), s.UserID.String(), s.Kind}, func(scan scanner) error { return scanInto(scan, &alive) })
	if err != nil {
		return nil, err
	}
	for _, id := range alive[min(keep, len(alive)):] {
		if _, err := q.EndSession(ctx, id, "session_limit", s.Created); err != nil {
			return nil, err
		}
		ended = append(ended, id)
	}
	return ended, nil
}

func scanInto(scan scanner, ids *[]identity.ID) error {
	var id identity.ID
	err := scan(scanID{&id})
	*ids = append(*ids, id)
	return err
}

// SessionByHash reads the session with this secret's SHA-256 and its user in one statement. An ended one is
// ErrNotFound; whether it has expired, is older than the user's not-before, or the user is disabled is for the caller.
func (q *Queries) SessionByHash(ctx context.Context, hash [32]byte) (Session, UserRecord, error) {
	var s Session
	var u UserRecord
	err := q.row(ctx, "read session", "SELECT "+prefixed("s.", sessionColumns)+", "+prefixed("u.", userColumns)+
		" FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.secret_hash = $1 AND s.ended_at = 0",
		[]any{hash[:]}, append(sessionDest(&s), userDest(&u)...)...)
	return s, u, err
}

func prefixed(prefix, columns string) string {
	return prefix + strings.ReplaceAll(columns, ", ", ", "+prefix)
}

// SessionByID reads a session in any state, as long as Purge has not removed it.
func (q *Queries) SessionByID(ctx context.Context, id identity.ID) (Session, error) {
	var s Session
	err := q.row(ctx, "read session", "SELECT "+sessionColumns+" FROM sessions WHERE id = $1", []any{id.String()},
		sessionDest(&s)...)
	return s, err
}

// SessionsTogether returns the ids of the sessions that have not ended and came from the same sign-in as this one: the
// one at the single sign-on host and those its tickets made. At least the session itself, whatever its state.
func (q *Queries) SessionsTogether(ctx context.Context, id identity.ID) ([]identity.ID, error) {
	out := []identity.ID{id}
	root := id
	var parent identity.ID
	err := q.row(ctx, "read session", "SELECT parent FROM sessions WHERE id = $1", []any{id.String()},
		scanIDOrNone{&parent})
	switch {
	case errors.Is(err, ErrNotFound):
		return out, nil
	case err != nil:
		return nil, err
	case !parent.IsZero():
		root = parent
	}
	err = q.rows(ctx, reading, "read sessions", `SELECT id FROM sessions WHERE id = $1 AND id <> $2 AND ended_at = 0
		UNION ALL SELECT id FROM sessions WHERE parent = $1 AND id <> $2 AND ended_at = 0`, []any{root.String(), id.String()},
		func(scan scanner) error { return scanInto(scan, &out) })
	return out, err
}

// RotateSession replaces the secret of a live session and records how its holder proved who they are. False when the
// secret is not oldHash any more or the session has ended.
func (q *Queries) RotateSession(ctx context.Context, id identity.ID, oldHash, newHash [32]byte,
	p identity.Proof) (bool, error) {
	if err := storable(p.ACR); err != nil {
		return false, wrap("rotate session", err)
	}
	n, err := q.exec(ctx, "rotate session",
		`UPDATE sessions SET secret_hash = $1, auth_time = $2, amr = $3, acr = $4, mfa_time = $5, passkey_time = $6
		WHERE id = $7 AND secret_hash = $8 AND ended_at = 0`, newHash[:], ms(p.AuthTime), list(p.AMR), p.ACR, ms(p.MFATime),
		ms(p.PasskeyTime), id.String(), oldHash[:])
	return n == 1, taken(err, "session")
}

// EndSession ends a session. False when it had ended before or does not exist.
func (q *Queries) EndSession(ctx context.Context, id identity.ID, reason string, at time.Time) (bool, error) {
	n, err := q.exec(ctx, "end session",
		"UPDATE sessions SET ended_at = $1, end_reason = $2 WHERE id = $3 AND ended_at = 0", ended(at), note(reason),
		id.String())
	return n == 1, err
}

// ended is a time at which something ended: never 0, which would mean that it lives.
func ended(at time.Time) int64 { return max(1, ms(at)) }

// EndUserSessions ends all sessions of a user but one (zero: all of them) and returns the ids of those it ended.
// A sign-in that is just being written is waited for and ended too.
func (q *Queries) EndUserSessions(ctx context.Context, user, except identity.ID, reason string,
	at time.Time) ([]identity.ID, error) {
	var out []identity.ID
	err := q.atomic(ctx, func(q *Queries) error {
		out = nil
		if _, err := q.exec(ctx, "lock user", "UPDATE users SET failures = failures WHERE id = $1",
			user.String()); err != nil {
			return err
		}
		return q.rows(ctx, writing, "end sessions", `UPDATE sessions SET ended_at = $1, end_reason = $2
			WHERE user_id = $3 AND id <> $4 AND ended_at = 0 RETURNING id`,
			[]any{ended(at), note(reason), user.String(), except.String()},
			func(scan scanner) error { return scanInto(scan, &out) })
	})
	return out, err
}

// TouchSessions writes when sessions were last used. It never moves a time back and never wakes an ended session.
func (q *Queries) TouchSessions(ctx context.Context, touches []Touch) error {
	touches = slices.SortedFunc(slices.Values(touches), func(a,
		b Touch) int {
		return strings.Compare(string(a.ID[:]), string(b.ID[:]))
	})
	for part := range slices.Chunk(touches, batch) {
		err := q.atomic(ctx, func(q *Queries) error {
			for _, t := range part {
				if _, err := q.exec(ctx, "touch session",
					"UPDATE sessions SET last_seen = $1 WHERE id = $2 AND last_seen < $1 AND ended_at = 0", ms(t.LastSeen),
					t.ID.String()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
