package store

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Mail is a queued security notice: it is inserted in the transaction of the change that it reports, and waits until it
// is sent.
type Mail struct {
	ID      identity.ID
	UserID  identity.ID
	Kind    string
	To      string
	Facts   string // JSON, without any secret
	Created time.Time
	Due     time.Time // when the next try may begin
	Tries   int       // begun; it is the claim's number, too
}

const mailColumns = "id, user_id, kind, recipient, facts, created, due, tries"

func mailDest(m *Mail) []any {
	return []any{scanID{&m.ID}, scanID{&m.UserID}, &m.Kind, &m.To, &m.Facts, scanTime{&m.Created}, scanTime{&m.Due},
		&m.Tries}
}

// MailLimit bounds the mails of one person. On PostgreSQL, transactions at the same moment may go over it by as many.
type MailLimit struct {
	Most  int           // mails
	In    time.Duration // within so long before the new one
	Quiet time.Duration // none of the same kind within so long; 0: as many as come
}

// AddMail puts a mail into the queue; false when the person has had as many as the limit allows. ErrNotFound when the
// person is gone.
func (q *Queries) AddMail(ctx context.Context, m Mail, limit MailLimit) (bool, error) {
	if err := storable(m.Kind, m.To, m.Facts); err != nil {
		return false, wrap("queue mail", err)
	}
	sameSince := int64(math.MaxInt64)
	if limit.Quiet > 0 {
		sameSince = ms(m.Created.Add(-limit.Quiet))
	}
	n, err := q.exec(ctx, "queue mail", "INSERT INTO mails ("+mailColumns+`, ended, outcome)
		SELECT $1, $2, $3, $4, $5, CAST($6 AS BIGINT), CAST($6 AS BIGINT), 0, 0, ''
		WHERE (SELECT COUNT(*) FROM mails WHERE user_id = $2 AND created > $7) < $8
		AND NOT EXISTS (SELECT 1 FROM mails WHERE user_id = $2 AND kind = $3 AND created > $9)`,
		m.ID.String(), m.UserID.String(), m.Kind, m.To, m.Facts, ms(m.Created), ms(m.Created.Add(-limit.In)), limit.Most,
		sameSince)
	return n == 1, taken(err, "mail")
}

// ClaimMail claims a mail that is due: until a time no other caller gets it, and when nothing is heard of it by then,
// as after kill -9, it is due again. One statement decides, so of racing nodes one gets it. False: none is due, or
// another node was faster.
func (q *Queries) ClaimMail(ctx context.Context, now, until time.Time) (Mail, bool, error) {
	var m Mail
	err := q.change(ctx, "claim mail", `UPDATE mails SET due = $2, tries = tries + 1
		WHERE id = (SELECT id FROM mails WHERE ended = 0 AND due <= $1 ORDER BY due, id LIMIT 1) AND ended = 0 AND due <= $1
		RETURNING `+mailColumns, []any{ms(now), ms(until)}, mailDest(&m)...)
	if errors.Is(err, ErrNotFound) {
		return Mail{}, false, nil
	}
	return m, err == nil, err
}

// RetryMail releases a claimed mail until a time. It returns false if the claim was lost meanwhile.
func (q *Queries) RetryMail(ctx context.Context, m Mail, due time.Time) (bool, error) {
	n, err := q.exec(ctx, "put mail off", "UPDATE mails SET due = $1 WHERE id = $2 AND tries = $3 AND ended = 0", ms(due),
		m.ID.String(), m.Tries)
	return n == 1, err
}

// EndMail ends a claimed mail, "sent" or "given up"; false when the claim was lost meanwhile.
func (q *Queries) EndMail(ctx context.Context, m Mail, outcome string, now time.Time) (bool, error) {
	n, err := q.exec(ctx, "end mail",
		"UPDATE mails SET ended = $1, outcome = $2 WHERE id = $3 AND tries = $4 AND ended = 0",
		ms(now), outcome, m.ID.String(), m.Tries)
	return n == 1, err
}

// NextMail returns when the next mail is due; false if none is waiting.
func (q *Queries) NextMail(ctx context.Context) (time.Time, bool, error) {
	var due time.Time
	err := q.row(ctx, "look for mails", "SELECT due FROM mails WHERE ended = 0 ORDER BY due LIMIT 1", nil, scanTime{&due})
	if errors.Is(err, ErrNotFound) {
		return due, false, nil
	}
	return due, err == nil, err
}
