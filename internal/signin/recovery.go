package signin

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// recoveryCodes creates recovery codes, shows them once more and checks them.
type recoveryCodes struct {
	changes *change.Changes
	cluster cluster.Cluster
	box     *secret.Box
	key     []byte
}

// codesShown is how long new recovery codes can be looked at again.
const codesShown = 10 * time.Minute

// show stores new codes for the session that created them, sealed and bound to it. Without them the page can show them
// once only, so a failure here is not a failure of the change.
func (r *recoveryCodes) show(ctx context.Context, session identity.ID, codes []string) {
	if len(codes) == 0 {
		return
	}
	plain, err := json.Marshal(codes)
	if err == nil {
		err = r.cluster.Put(ctx, codesKey(session), r.box.Seal(plain, []byte(codesKey(session))), codesShown)
	}
	if err != nil {
		r.changes.Logger.Warn("could not keep new recovery codes for their page", "error", err)
	}
}

func codesKey(session identity.ID) string { return "recovery:" + session.String() }

// shown returns the codes that were just created, while they may be shown to this session: for codesShown, or until
// hide.
func (r *recoveryCodes) shown(ctx context.Context, session identity.ID) []string {
	sealed, ok, err := r.cluster.Get(ctx, codesKey(session))
	if err != nil || !ok {
		return nil
	}
	plain, err := r.box.Open(sealed, []byte(codesKey(session)))
	var codes []string
	if err != nil || json.Unmarshal(plain, &codes) != nil {
		return nil
	}
	return codes
}

// hide ends the showing.
func (r *recoveryCodes) hide(ctx context.Context, session identity.ID) error {
	if _, _, err := r.cluster.Pop(ctx, codesKey(session)); err != nil {
		return identity.Unavailable(err)
	}
	return nil
}

// first creates recovery codes when a user has none left.
func (r *recoveryCodes) first(ctx context.Context, tx *change.Tx, user identity.ID, f store.Factors) ([]string, error) {
	if f.RecoveryLeft > 0 {
		return nil, nil
	}
	return r.create(ctx, tx, user)
}

// create replaces the recovery codes of a user.
func (r *recoveryCodes) create(ctx context.Context, tx *change.Tx, user identity.ID) ([]string, error) {
	if len(r.key) < 32 {
		return nil, errors.New("recovery codes need a key of 32 bytes")
	}
	codes := credential.NewRecoveryCodes()
	hashes := make([][32]byte, len(codes))
	for i, text := range codes {
		code, ok := credential.ParseRecoveryCode(text)
		if !ok {
			return nil, errors.New("a new recovery code cannot be parsed")
		}
		hashes[i] = credential.RecoveryHash(r.key, user.String(), code)
	}
	return codes, tx.ReplaceRecoveryCodes(ctx, user, hashes, r.changes.Now())
}

// check parses a recovery code. Whether it is one of the user's is decided where it is consumed.
func (r *recoveryCodes) check(user identity.ID, typed string) (verifiedFactor, error) {
	code, ok := credential.ParseRecoveryCode(typed)
	if !ok {
		return verifiedFactor{}, errWrongCode
	}
	hash := credential.RecoveryHash(r.key, user.String(), code)
	return verifiedFactor{method: identity.MethodRecovery, amr: []string{identity.AMRRecovery},
		use: func(ctx context.Context, tx *change.Tx) error {
			won, err := tx.UseRecoveryCode(ctx, user, hash, r.changes.Now())
			if err == nil && !won {
				err = errWrongCode
			}
			return err
		}}, nil
}
