package store

import (
	"context"
	"database/sql"
	"errors"
)

// AuditHead locks the end of the chain until the transaction ends and gives its number and hash; 0 when it is empty.
// The lock serialises all nodes, which is what makes the chain one chain.
func (t *Tx) AuditHead(ctx context.Context) (seq int64, hash [32]byte, err error) {
	if err := t.Lock(ctx, "audit"); err != nil {
		return 0, hash, err
	}
	return t.LastAudit(ctx)
}

// LastAudit gives the number and hash of the last row.
func (q *Queries) LastAudit(ctx context.Context) (seq int64, hash [32]byte, err error) {
	var raw []byte
	err = q.wrap("read audit head", q.db.QueryRowContext(ctx, `SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`).Scan(&seq, &raw))
	if errors.Is(err, ErrNotFound) {
		return 0, hash, nil
	}
	return seq, hash32(raw), err
}

// AppendAuditRow adds one row; its number must follow the head's.
func (t *Tx) AppendAuditRow(ctx context.Context, r AuditRow) error {
	return t.exec(ctx, "append audit row", `INSERT INTO audit (seq, time, event, outcome, actor_id, subject_id, ip, reference, line, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, r.Seq, ms(r.Time), r.Event, r.Outcome, clean(r.ActorID), clean(r.SubjectID), clean(r.IP),
		r.Reference, r.Line, r.Hash[:])
}

const auditColumns = `seq, time, event, outcome, actor_id, subject_id, ip, reference, line, hash`

func scanAudit(r *sql.Rows) (AuditRow, error) {
	var a AuditRow
	var at int64
	var hash []byte
	err := r.Scan(&a.Seq, &at, &a.Event, &a.Outcome, &a.ActorID, &a.SubjectID, &a.IP, &a.Reference, &a.Line, &hash)
	a.Time, a.Hash = fromMS(at), hash32(hash)
	return a, err
}

// ListAudit selects rows.
func (q *Queries) ListAudit(ctx context.Context, f AuditFilter) ([]AuditRow, error) {
	order := "DESC"
	if f.Ascending {
		order = "ASC"
	}
	before := f.Before
	if before == 0 {
		before = 1<<63 - 1
	}
	until := int64(1<<63 - 1)
	if !f.Until.IsZero() {
		until = ms(f.Until)
	}
	return each(ctx, q, "list audit", scanAudit, `SELECT `+auditColumns+` FROM audit WHERE seq > $1 AND seq < $2 AND time >= $3 AND time < $4
		AND ($5 = '' OR event = $5) AND ($6 = '' OR actor_id = $6) AND ($7 = '' OR subject_id = $7) AND ($8 = '' OR ip = $8) AND ($9 = '' OR reference = $9)
		AND ($10 = '' OR actor_id = $10 OR subject_id = $10)
		ORDER BY seq `+order+` LIMIT $11`,
		f.After, before, ms(f.Since), until, f.Event, f.ActorID, f.SubjectID, f.IP, f.Reference, f.PersonID, pageSize(f.Limit))
}

// WalkAudit hands all rows from a number on to fn, in order.
func (q *Queries) WalkAudit(ctx context.Context, from int64, fn func(AuditRow) error) error {
	for {
		rows, err := q.ListAudit(ctx, AuditFilter{After: from - 1, Ascending: true, Limit: 1000})
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if err := fn(r); err != nil {
				return err
			}
		}
		from = rows[len(rows)-1].Seq + 1
	}
}
