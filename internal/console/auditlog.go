package console

import (
	"context"
	"encoding/json"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// AuditQuery selects events of the audit log.
type AuditQuery struct {
	Limit     int    `json:"limit"`
	Event     string `json:"event"`
	User      string `json:"user"` // who did it, or about whom it is
	Reference string `json:"reference"`
	After     int64  `json:"after"` // only newer ones, oldest first
}

func (c *Console) auditRows(ctx context.Context, in AuditQuery) ([]store.AuditRow, error) {
	filter := store.AuditFilter{After: in.After, Event: in.Event, Reference: in.Reference, Limit: in.Limit,
		Ascending: in.After > 0}
	if in.User != "" {
		u, err := findUser(ctx, c.Store, in.User)
		if err != nil {
			return nil, err
		}
		filter.PersonID = u.ID.String()
	}
	return c.Store.ListAudit(ctx, filter)
}

// ListAudit returns events, newest first.
func (c *Console) ListAudit(ctx context.Context, in AuditQuery) (Page[json.RawMessage], error) {
	rows, err := c.auditRows(ctx, in)
	if err != nil {
		return Page[json.RawMessage]{}, err
	}
	items := make([]json.RawMessage, len(rows))
	for i, r := range rows {
		items[i] = r.Line
	}
	return Page[json.RawMessage]{Items: items}, nil
}

// AuditTail is events, oldest first.
type AuditTail struct {
	Items []json.RawMessage `json:"items"`
	Last  int64             `json:"last"` // the number to ask from next
}

// TailAudit returns the latest events, or those after a number.
func (c *Console) TailAudit(ctx context.Context, in AuditQuery) (AuditTail, error) {
	rows, err := c.auditRows(ctx, in)
	if err != nil {
		return AuditTail{}, err
	}
	out := AuditTail{Items: make([]json.RawMessage, len(rows)), Last: in.After}
	for i, r := range rows {
		at := i
		if in.After == 0 {
			at = len(rows) - 1 - i // newest first
		}
		out.Items[at] = r.Line
		out.Last = max(out.Last, r.Seq)
	}
	return out, nil
}

// VerifyAudit checks the chain of the audit log for changes, gaps and reordering.
func (c *Console) VerifyAudit(ctx context.Context, _ None) (audit.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	return audit.VerifyStore(ctx, c.Store)
}
