package change

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// RotateKeys lets a new signing key take over. The ring publishes the change to the other nodes.
func (c *Changes) RotateKeys(ctx context.Context, by By, ring *token.Ring) (token.KeyInfo, error) {
	info, err := ring.Rotate(ctx, func(tx *store.Tx, k token.KeyInfo) error {
		e := by.Event(audit.KeyRotated, "success")
		e.Details = map[string]string{"kid_prefix": k.KID[:8], "activates": k.Activates}
		_, err := c.Audit.Within(ctx, tx, e)
		return err
	})
	return info, store.Unavailable(err)
}
