package signin

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// NewRecoveryCodes creates a new set; the old one is void. It requires CheckFresh. Without a second factor it is
// CodeConflict.
func (fs *Factors) NewRecoveryCodes(ctx context.Context, by change.By) (Changed, error) {
	return fs.change(ctx, by, func(ctx context.Context, c *factorChange) (err error) {
		if !c.factors.Any() {
			return identity.Conflict("Set up an authenticator app or a passkey first.")
		}
		c.Record(c.by.UserEvent(audit.RecoveryRenewed, c.user.User))
		c.codes, err = fs.recovery.Create(ctx, c.Tx, c.user.ID)
		return err
	})
}

// ShownCodes returns the codes that were just created, while they may be shown to this session: for 10 minutes, or
// until HideCodes.
func (fs *Factors) ShownCodes(ctx context.Context, session identity.ID) []string {
	return fs.recovery.Shown(ctx, session)
}

// HideCodes ends the showing of new codes.
func (fs *Factors) HideCodes(ctx context.Context, session identity.ID) error {
	return fs.recovery.Hide(ctx, session)
}
