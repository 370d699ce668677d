package console

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// KeyList is the signing keys.
type KeyList struct {
	Items []token.KeyInfo `json:"items"`
}

// ListKeys returns the signing keys.
func (c *Console) ListKeys(_ context.Context, _ None) (KeyList, error) {
	return KeyList{Items: c.Ring.List(c.Now())}, nil
}

// RotateKeys lets a new signing key take over; tokens of the old one stay valid until they end.
func (c *Console) RotateKeys(ctx context.Context, by change.By, _ None) (token.KeyInfo, error) {
	return c.Changes.RotateKeys(ctx, by, c.Ring)
}
