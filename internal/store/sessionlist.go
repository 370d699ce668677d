package store

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// ListSessions returns a user's sessions that are alive at now, latest use first.
func (q *Queries) ListSessions(ctx context.Context, user identity.ID, now time.Time) ([]Session, error) {
	var out []Session
	err := q.rows(ctx, reading, "list sessions", "SELECT "+sessionColumns+" FROM sessions WHERE "+aliveAt+
		" AND user_id = $2 ORDER BY last_seen DESC, created DESC, id",
		[]any{ms(now), user.String()}, func(scan scanner) error {
			var s Session
			err := scan(sessionDest(&s)...)
			out = append(out, s)
			return err
		})
	return out, err
}

// ListAllSessions pages through the sessions alive at now, newest first.
func (q *Queries) ListAllSessions(ctx context.Context, f SessionFilter, now time.Time) ([]Session, string, error) {
	created, id, ok := parseSessionCursor(f.Cursor)
	if !ok {
		return nil, "", wrap("list sessions", ErrInvalid)
	}
	limit := pageSize(f.Limit)
	var out []Session
	err := q.rows(ctx, reading, "list sessions", "SELECT "+sessionColumns+" FROM sessions WHERE "+aliveAt+`
		AND (created, id) < ($2, $3) AND ($4 = '' OR user_id = $4) ORDER BY created DESC, id DESC LIMIT $5`,
		[]any{ms(now), created, id, idOrNone(f.UserID), limit + 1}, func(scan scanner) error {
			var s Session
			err := scan(sessionDest(&s)...)
			out = append(out, s)
			return err
		})
	if err != nil || len(out) <= limit {
		return out, "", err
	}
	last := out[limit-1]
	next := strconv.FormatInt(ms(last.Created), 10) + "." + last.ID.String()
	return out[:limit], base64.RawURLEncoding.EncodeToString([]byte(next)), nil
}

func parseSessionCursor(cursor string) (created int64, id string, ok bool) {
	if cursor == "" {
		return 1<<63 - 1, "", true
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, "", false
	}
	at, id, _ := strings.Cut(string(raw), ".")
	created, err = strconv.ParseInt(at, 10, 64)
	_, ok = identity.ParseID(id)
	return created, id, ok && err == nil
}

// CountSessions counts the sessions alive at now.
func (q *Queries) CountSessions(ctx context.Context, now time.Time) (int, error) {
	var n int
	err := q.row(ctx, "count sessions", "SELECT COUNT(*) FROM sessions WHERE "+aliveAt, []any{ms(now)}, &n)
	return n, err
}
