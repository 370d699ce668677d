package store

import (
	"context"
	"errors"
)

const auditColumns = "seq, time, event, outcome, actor_id, subject_id, ip, reference, line, hash"

func auditDest(r *AuditRow) []any {
	return []any{&r.Seq, scanTime{&r.Time}, &r.Event, &r.Outcome, &r.ActorID, &r.SubjectID, &r.IP, &r.Reference, &r.Line,
		scanHash{&r.Hash}}
}

// AuditHead returns the number and the hash of the last line of the chain (0 and zeros for an empty one). Within a
// transaction no other caller, on any node, can append until it ends.
func (q *Queries) AuditHead(ctx context.Context) (seq int64, hash [32]byte, err error) {
	query := "SELECT seq, hash FROM audit_head WHERE id = 1"
	if q.tx == nil {
		err = q.row(ctx, "read audit head", query, nil, &seq, scanHash{&hash})
		return seq, hash, err
	}
	err = q.change(ctx, "lock audit head", "UPDATE audit_head SET seq = seq WHERE id = 1 RETURNING seq, hash", nil, &seq,
		scanHash{&hash})
	return seq, hash, err
}

// AppendAuditRows adds lines after the head. *ConflictError "seq" when they are not the next ones.
func (q *Queries) AppendAuditRows(ctx context.Context, rows ...AuditRow) error {
	if len(rows) == 0 {
		return nil
	}
	for _, r := range rows {
		if err := storable(r.Event, r.Outcome, r.ActorID, r.SubjectID, r.IP, r.Reference, string(r.Line)); err != nil {
			return wrap("append audit line", err)
		}
	}
	last := rows[len(rows)-1]
	return q.atomic(ctx, func(q *Queries) error {
		n, err := q.exec(ctx, "move audit head", "UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1 AND seq = $3",
			last.Seq, last.Hash[:], rows[0].Seq-1)
		if err != nil {
			return err
		}
		if n == 0 || last.Seq-rows[0].Seq != int64(len(rows)-1) {
			return wrap("append audit line", &ConflictError{Field: "seq"})
		}
		for _, r := range rows {
			_, err = q.exec(ctx, "append audit line", "INSERT INTO audit ("+auditColumns+
				") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
				r.Seq, ms(r.Time), r.Event, r.Outcome, r.ActorID, r.SubjectID, r.IP, r.Reference, r.Line, r.Hash[:])
			if err != nil {
				return taken(err, "seq")
			}
		}
		return nil
	})
}

// ListAudit selects lines.
func (q *Queries) ListAudit(ctx context.Context, f AuditFilter) ([]AuditRow, error) {
	for _, s := range []string{f.Event, f.ActorID, f.SubjectID, f.IP, f.Reference, f.PersonID,
		f.Except} {
		if storable(s) != nil {
			return nil, nil //nolint:nilerr // no line has such a value
		}
	}
	until := int64(1<<63 - 1)
	if !f.Until.IsZero() {
		until = ms(f.Until)
	}
	before := f.Before
	if before <= 0 {
		before = 1<<63 - 1
	}
	order := "DESC"
	if f.Ascending {
		order = "ASC"
	}
	var out []AuditRow
	err := q.rows(ctx, reading, "list audit", "SELECT "+auditColumns+
		` FROM audit WHERE seq > $1 AND seq < $2 AND time >= $3 AND time <= $4
		AND ($5 = '' OR event = $5) AND ($6 = '' OR actor_id = $6) AND ($7 = '' OR subject_id = $7) AND ($8 = '' OR ip = $8)
		AND ($9 = '' OR reference = $9) AND ($10 = '' OR actor_id = $10 OR subject_id = $10)
		AND ($11 = '' OR event <> $11) ORDER BY seq `+order+" LIMIT $12",
		[]any{f.After, before, ms(f.Since), until, f.Event, f.ActorID, f.SubjectID, f.IP, f.Reference, f.PersonID,
			f.Except, pageSize(f.Limit)}, func(scan scanner) error {
			var r AuditRow
			err := scan(auditDest(&r)...)
			out = append(out, r)
			return err
		})
	return out, err
}

// WalkAudit calls fn for each line from number fromSeq on, in order, as they are read. fn must not use the store.
func (q *Queries) WalkAudit(ctx context.Context, fromSeq int64, fn func(AuditRow) error) error {
	return q.rows(ctx, streaming, "read audit", "SELECT "+auditColumns+" FROM audit WHERE seq >= $1 ORDER BY seq",
		[]any{fromSeq}, func(scan scanner) error {
			var r AuditRow
			if err := scan(auditDest(&r)...); err != nil {
				return err
			}
			return fn(r)
		})
}

// LastAudit reads the last line; and reports whether there is one.
func (q *Queries) LastAudit(ctx context.Context) (AuditRow, bool, error) {
	var r AuditRow
	err := q.row(ctx, "read last audit line", "SELECT "+auditColumns+" FROM audit ORDER BY seq DESC LIMIT 1", nil,
		auditDest(&r)...)
	if errors.Is(err, ErrNotFound) {
		return AuditRow{}, false, nil
	}
	return r, err == nil, err
}
