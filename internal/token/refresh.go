package token

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// RefreshConfig of a Refresher.
type RefreshConfig struct {
	Life     time.Duration // of a family, in all (RT-05)
	Audience []string
	Now      func() time.Time
}

// Refresher creates and uses refresh tokens. A token works once; its successor is written in the transaction that
// consumes it, so that a kill at any moment leaves at most one live successor (RT-04).
type Refresher struct{ cfg RefreshConfig }

// NewRefresher returns a refresher.
func NewRefresher(cfg RefreshConfig) *Refresher { return &Refresher{cfg} }

// Start begins a family for a session and gives its first token.
func (r *Refresher) Start(ctx context.Context, tx *store.Tx, s store.Session,
	clientID string) (string, store.Family, error) {
	now := r.cfg.Now()
	f := store.Family{ID: identity.NewID(), SessionID: s.ID, UserID: s.UserID, ClientID: clientID,
		Audience: r.cfg.Audience, Created: now,
		Expires: now.Add(r.cfg.Life)}
	if err := tx.CreateFamily(ctx, f); err != nil {
		return "", f, err
	}
	token := secret.NewToken(secret.PrefixRefresh)
	return token, f, tx.AddRefresh(ctx, f.ID, secret.Hash(token), now)
}

// Result of a use.
type Result struct {
	store.RefreshUse
	NewToken string // when Won
}

// UseInTx consumes a token. Whoever calls ends session and family when the result says Reused: of the two who used the
// token one had stolen it (RFC 9700 4.14.2). Of 50 racing uses one wins, and the others end what it won (RT-02).
func (r *Refresher) UseInTx(ctx context.Context, tx *store.Tx, raw string) (Result, error) {
	hash, ok := RefreshHash(raw)
	if !ok {
		return Result{}, nil
	}
	now := r.cfg.Now()
	use, err := tx.ConsumeRefresh(ctx, hash, now)
	if err != nil || !use.Won {
		return Result{RefreshUse: use}, err
	}
	token := secret.NewToken(secret.PrefixRefresh)
	return Result{RefreshUse: use, NewToken: token}, tx.AddRefresh(ctx, use.Family.ID, secret.Hash(token), now)
}

// RefreshHash is the hash under which a refresh token is stored; false for a text that cannot be one (RT-07).
func RefreshHash(raw string) ([32]byte, bool) {
	if !secret.CheckToken(secret.PrefixRefresh, raw) {
		return [32]byte{}, false
	}
	return secret.Hash(raw), true
}
