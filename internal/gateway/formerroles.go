package gateway

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// streamsAgain is when streams are looked at once more: one may have been judged before the change and joined after it.
const streamsAgain = 300 * time.Millisecond

// endStreams ends the open streams of somebody who has lost a role since they were opened: a request that lasts was judged
// once, by roles that are no more (AZ-08). Who is only given one keeps them. When the roles cannot be read they end too (R1).
func (e *Engine) endStreams(id identity.ID) {
	name := id.String()
	open := false
	e.revoked.Streams().CutWhere(func(p *identity.Principal) error {
		open = open || p.UserID == name
		return nil
	})
	if !open {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	u, err := e.store.UserByID(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		e.log.Warn("could not read the roles of somebody who has changed; their open streams end", "user", name, "error", err)
	}
	e.revoked.Streams().CutWhere(func(p *identity.Principal) error {
		if p.UserID == name && (err != nil || slices.ContainsFunc(p.Roles, func(role string) bool { return !u.HasRole(role) })) {
			return revocation.ErrChanged
		}
		return nil
	})
}

// endAllStreams does so for everybody, after changes may have been missed.
func (e *Engine) endAllStreams() {
	people := map[string]bool{}
	e.revoked.Streams().CutWhere(func(p *identity.Principal) error {
		people[p.UserID] = true
		return nil
	})
	for name := range people {
		if id, ok := identity.ParseID(name); ok {
			e.endStreams(id)
		}
	}
}
