// Package change makes security-relevant changes. A change, its audit events, its revocations and its notices by mail
// are one database transaction (R9); this node and the others apply it once it is committed (R4).
package change

import (
	"context"
	"log/slog"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/revocation/feed"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Changes runs changes. All fields but OnMailQueued are required.
type Changes struct {
	Store   *store.Store
	Audit   *audit.Log
	Feed    *feed.Feed
	Metrics Metrics
	Logger  *slog.Logger
	Now     func() time.Time

	// Lifetimes that revocations must outlive.
	AccessLifetime  time.Duration
	RefreshLifetime time.Duration
	LongestSession  time.Duration

	// OnMailQueued is called when notices wait to be sent. nil: there is no mail server, and no notices are written.
	OnMailQueued func()
}

// Metrics counts revocations by kind.
type Metrics interface {
	Revocation(kind string)
}

// Leeway is how much the clocks of nodes and clients may differ (JW-08).
const Leeway = time.Minute

// Run runs do in one transaction, together with the audit events, revocations and notices that do records, and then
// applies the change on all nodes. Do may run again, so it must set everything it leaves behind anew. The revocations
// are durable before any node applies them; when the other nodes cannot be reached, the error has CodeStateUnavailable
// and the feed publishes the change again later (FAULTS 8).
func (c *Changes) Run(ctx context.Context, do func(tx *Tx) error) error {
	var done *Tx
	err := c.Store.Tx(ctx, func(sql *store.Tx) error {
		done = &Tx{Tx: sql, changes: c}
		if err := do(done); err != nil {
			return err
		}
		return done.finish(ctx)
	})
	if err != nil {
		return store.Unavailable(err)
	}
	for _, r := range done.revoked {
		c.Metrics.Revocation(r.Kind.String())
	}
	return c.Feed.Publish(ctx, feed.News{Revoked: done.revoked, Users: done.changed})
}

// finish writes what a change has recorded beside its own rows.
func (tx *Tx) finish(ctx context.Context) error {
	for _, r := range tx.revoked {
		if err := tx.AddRevocation(ctx, r); err != nil {
			return err
		}
	}
	if err := tx.queueNotices(ctx); err != nil {
		return err
	}
	for _, e := range tx.events {
		if _, err := tx.changes.Audit.Within(ctx, tx.Tx, e); err != nil {
			return err
		}
	}
	return nil
}
