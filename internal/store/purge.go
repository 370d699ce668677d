package store

import (
	"context"
	"time"
)

// endedSessionsStay is how long a session that has ended can still be looked at.
const endedSessionsStay = 7 * 24 * time.Hour

// endedMailsStay is how long a mail is kept for the limits that count it, and unsentMailsStay how long one waits when
// no node has a mail server: no user is notified of last month when one is configured.
const (
	endedMailsStay  = 24 * time.Hour
	unsentMailsStay = 7 * 24 * time.Hour
)

// decisionsStay is how long decisions about a user's requests are kept.
const decisionsStay = 30 * 24 * time.Hour

// Purge deletes what has expired at now and gives the number of rows it took itself (rows that fall with them are not
// counted). Each batch is a statement of its own, so that no caller waits long; stopped half-way it goes on next time.
func (s *Store) Purge(ctx context.Context, now time.Time) (int64, error) {
	old := now.Add(-endedSessionsStay)
	var total int64
	for _, p := range []struct {
		action, query string
		at            time.Time
	}{
		{"purge ended sessions",
			"DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ended_at > 0 AND ended_at <= $1 LIMIT $2)", old},
		{"purge expired sessions", "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires <= $1 LIMIT $2)",
			old},
		{"purge unused sessions",
			"DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE last_seen + idle <= $1 LIMIT $2)", old},
		{"purge refresh families", "DELETE FROM families WHERE id IN (SELECT id FROM families WHERE expires <= $1 LIMIT $2)",
			now},
		{"purge revocations",
			"DELETE FROM revocations WHERE (kind, name) IN (SELECT kind, name FROM revocations WHERE expires <= $1 LIMIT $2)",
			now},
		{"purge devices", "DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE expires <= $1 LIMIT $2)", now},
		{"purge half sign-ins",
			"DELETE FROM pending_signins WHERE key IN (SELECT key FROM pending_signins WHERE expires <= $1 LIMIT $2)", now},
		{"purge unfinished authenticators",
			"DELETE FROM totp_secrets WHERE id IN (SELECT id FROM totp_secrets WHERE expires > 0 AND expires <= $1 LIMIT $2)",
			now},
		{"purge one-time codes",
			"DELETE FROM one_times WHERE (kind, hash) IN (SELECT kind, hash FROM one_times WHERE expires <= $1 LIMIT $2)", now},
		{"purge ended mails", "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE ended > 0 AND ended <= $1 LIMIT $2)",
			now.Add(-endedMailsStay)},
		{"purge old decisions", "DELETE FROM decisions WHERE key IN (SELECT key FROM decisions WHERE last <= $1 LIMIT $2)",
			now.Add(-decisionsStay)},
		{"purge unsent mails", "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE ended = 0 AND due <= $1 LIMIT $2)",
			now.Add(-unsentMailsStay)},
	} {
		for {
			n, err := s.exec(ctx, p.action, p.query, ms(p.at), batch)
			total += n
			if err != nil {
				return total, err
			}
			if n < batch {
				break
			}
		}
	}
	for {
		n, err := s.trimDecisions(ctx, keptDecisions)
		if total += n; err != nil || n < batch {
			return total, err
		}
	}
}
