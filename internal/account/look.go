package account

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// ListSessions gives somebody's live sessions, latest use first.
func (a *Accounts) ListSessions(ctx context.Context, user identity.ID) ([]store.Session, error) {
	list, err := a.Store.ListSessions(ctx, user, a.Now())
	return list, store.Unavailable(err)
}

// RefreshActive tells whether a refresh token could be used now.
func (a *Accounts) RefreshActive(ctx context.Context, raw string) (bool, error) {
	hash, ok := token.RefreshHash(raw)
	if !ok {
		return false, nil
	}
	usable, err := a.Store.RefreshUsable(ctx, hash, a.Now())
	return usable, store.Unavailable(err)
}

// RotateKeys lets a new signing key take over and tells the other nodes.
func (a *Accounts) RotateKeys(ctx context.Context, by change.By) (token.KeyInfo, error) {
	info, err := a.Ring.Rotate(ctx, func(tx *store.Tx, k token.KeyInfo) error {
		e := by.Event(audit.KeyRotated, "success")
		e.Details = map[string]string{"kid_prefix": k.KID[:8], "activates": k.Activates}
		_, err := a.Audit.Within(ctx, tx, e)
		return err
	})
	if err != nil {
		return info, store.Unavailable(err)
	}
	return info, a.Cluster.Publish(ctx, cluster.Event{Kind: cluster.KindKeys, At: a.Now().UnixMilli()})
}
