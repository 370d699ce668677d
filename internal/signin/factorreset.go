package signin

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Reset removes every factor of a user, for the host operator or an administrator; their sessions end (MF-20). An
// administrator needs a fresh proof (MF-13). A user whose password is too short to be the only factor, or who must have
// a second one, sets one up at the next sign-in.
func (fs *Factors) Reset(ctx context.Context, by change.By, id identity.ID) error {
	if by.Principal != nil {
		if err := fs.changes.CheckFresh(ctx, by.Principal); err != nil {
			return err
		}
	}
	return fs.changes.Run(ctx, func(tx *change.Tx) error {
		user, err := tx.LockedUser(ctx, id)
		if err != nil {
			return err
		}
		if _, err := tx.DeleteTOTP(ctx, id); err != nil {
			return err
		}
		for _, remove := range []func(context.Context, identity.ID) error{tx.DeleteUserPasskeys, tx.DeleteRecoveryCodes,
			tx.DeleteUserDevices,
			tx.DeleteUserPending, tx.ClearFactorFailures} {
			if err := remove(ctx, id); err != nil {
				return err
			}
		}
		if err := tx.SetPreferredFactor(ctx, id, ""); err != nil {
			return err
		}
		tx.Record(by.UserEvent(audit.AuthnMFAReset, user))
		tx.UserChanged(id)
		return tx.RevokeUser(ctx, id, identity.ID{}, "mfa_reset")
	})
}
