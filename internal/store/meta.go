package store

import (
	"context"
	"time"
)

// Meta reads a named value; ErrNotFound without one.
func (q *Queries) Meta(ctx context.Context, name string) (string, error) {
	var v string
	err := q.db.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, name).Scan(&v)
	return v, q.wrap("read "+name, err)
}

// SetMeta writes a named value.
func (q *Queries) SetMeta(ctx context.Context, name, value string) error {
	return q.exec(ctx, "write "+name, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
}

// keepEnded is how long ended sessions stay readable, for the audit and the session list of administrators.
const keepEnded = 7 * 24 * time.Hour

// Purge deletes what has expired, a bounded batch per table, and tells how many rows went.
func (s *Store) Purge(ctx context.Context, now time.Time) (int64, error) {
	var total int64
	for _, p := range []struct {
		table, key, where string
		before            time.Time
	}{
		{"revocations", "kind || ':' || name", "expires < $1", now.Add(-time.Hour)},
		{"sessions", "id", "(ended_at > 0 AND ended_at < $1) OR expires < $1", now.Add(-keepEnded)},
		{"refresh_families", "id", "expires < $1", now.Add(-keepEnded)},
		{"devices", "id", "expires < $1", now},
		{"one_times", "kind || ':' || CAST(created AS TEXT)", "expires < $1", now},
	} {
		n, err := s.changed(ctx, "purge "+p.table, `DELETE FROM `+p.table+` WHERE `+p.key+` IN (SELECT `+p.key+` FROM `+p.table+` WHERE `+p.where+` LIMIT 5000)`, ms(p.before))
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}
