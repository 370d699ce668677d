package account

import (
	"context"
	"encoding/json"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// codesShown is how long new recovery codes can be looked at again.
const codesShown = 10 * time.Minute

// NewRecoveryCodes makes a new set; the old one is void. It asks CheckFresh. Without a second factor it is CodeConflict.
func (a *Accounts) NewRecoveryCodes(ctx context.Context, by change.By) (Changed, error) {
	return a.changeFactors(ctx, by, func(ctx context.Context, c *factorChange) (err error) {
		if !c.factors.Any() {
			return &identity.Error{Code: identity.CodeConflict, Detail: "Set up an authenticator app or a passkey first."}
		}
		c.Record(c.by.UserEvent(audit.RecoveryRenewed, c.user.User))
		c.codes, err = a.makeCodes(ctx, c.Tx, c.user.ID)
		return err
	})
}

// showCodes keeps new codes for the session that made them: sealed, and bound to it. Without them the page can show
// them once only, so a failure is none of the change.
func (a *Accounts) showCodes(ctx context.Context, session identity.ID, codes []string) {
	if len(codes) == 0 {
		return
	}
	plain, err := json.Marshal(codes)
	if err == nil {
		err = a.Cluster.Put(ctx, codesKey(session), a.Box.Seal(plain, []byte(codesKey(session))), codesShown)
	}
	if err != nil {
		a.Logger.Warn("could not keep new recovery codes for their page", "error", err)
	}
}

func codesKey(session identity.ID) string { return "recovery:" + session.String() }

// ShownCodes gives the codes that were just made, while they may be shown to this session: 10 minutes or until HideCodes.
func (a *Accounts) ShownCodes(ctx context.Context, session identity.ID) []string {
	sealed, ok, err := a.Cluster.Get(ctx, codesKey(session))
	if err != nil || !ok {
		return nil
	}
	plain, err := a.Box.Open(sealed, []byte(codesKey(session)))
	var codes []string
	if err != nil || json.Unmarshal(plain, &codes) != nil {
		return nil
	}
	return codes
}

// HideCodes ends the showing.
func (a *Accounts) HideCodes(ctx context.Context, session identity.ID) error {
	if _, _, err := a.Cluster.Pop(ctx, codesKey(session)); err != nil {
		return clusterLost(err)
	}
	return nil
}
