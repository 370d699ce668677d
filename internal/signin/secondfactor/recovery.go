package secondfactor

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

// RecoveryCodes creates recovery codes, shows them once more and checks them.
type RecoveryCodes struct {
	Changes *change.Changes
	Cluster cluster.Cluster // where new codes are kept until they were written down
	Box     *secret.Box     // seals them there
	Key     []byte          // of the hashes, at least 32 bytes
}

// CodesShown is how long new recovery codes can be looked at again.
const CodesShown = 10 * time.Minute

// Show stores new codes for the session that created them, sealed and bound to it. Without them the page can show them
// once only, so a failure here is not a failure of the change.
func (r *RecoveryCodes) Show(ctx context.Context, session identity.ID, codes []string) {
	if len(codes) == 0 {
		return
	}
	plain, err := json.Marshal(codes)
	if err == nil {
		err = r.Cluster.Put(ctx, codesKey(session), r.Box.Seal(plain, []byte(codesKey(session))), CodesShown)
	}
	if err != nil {
		r.Changes.Logger.Warn("could not keep new recovery codes for their page", "error", err)
	}
}

func codesKey(session identity.ID) string { return "recovery:" + session.String() }

// Shown returns the codes that were just created, while they may be shown to this session: for CodesShown, or until
// Hide.
func (r *RecoveryCodes) Shown(ctx context.Context, session identity.ID) []string {
	sealed, ok, err := r.Cluster.Get(ctx, codesKey(session))
	if err != nil || !ok {
		return nil
	}
	plain, err := r.Box.Open(sealed, []byte(codesKey(session)))
	var codes []string
	if err != nil || json.Unmarshal(plain, &codes) != nil {
		return nil
	}
	return codes
}

// Hide ends the showing.
func (r *RecoveryCodes) Hide(ctx context.Context, session identity.ID) error {
	if _, _, err := r.Cluster.Pop(ctx, codesKey(session)); err != nil {
		return identity.Unavailable(err)
	}
	return nil
}

// First creates recovery codes when a user has none left.
func (r *RecoveryCodes) First(ctx context.Context, tx *change.Tx, user identity.ID, f store.Factors) ([]string, error) {
	if f.RecoveryLeft > 0 {
		return nil, nil
	}
	return r.Create(ctx, tx, user)
}

// Create replaces the recovery codes of a user.
func (r *RecoveryCodes) Create(ctx context.Context, tx *change.Tx, user identity.ID) ([]string, error) {
	if len(r.Key) < 32 {
		return nil, errors.New("recovery codes need a key of 32 bytes")
	}
	codes := credential.NewRecoveryCodes()
	hashes := make([][32]byte, len(codes))
	for i, text := range codes {
		code, ok := credential.ParseRecoveryCode(text)
		if !ok {
			return nil, errors.New("a new recovery code cannot be parsed")
		}
		hashes[i] = credential.RecoveryHash(r.Key, user.String(), code)
	}
	return codes, tx.ReplaceRecoveryCodes(ctx, user, hashes, r.Changes.Now())
}

// Check parses a recovery code. Whether it is one of the user's is decided where it is consumed.
func (r *RecoveryCodes) Check(user identity.ID, typed string) (Verified, error) {
	code, ok := credential.ParseRecoveryCode(typed)
	if !ok {
		return Verified{}, ErrWrong
	}
	hash := credential.RecoveryHash(r.Key, user.String(), code)
	return Verified{Method: identity.MethodRecovery, AMR: []string{identity.AMRRecovery},
		Use: func(ctx context.Context, tx *change.Tx) error {
			won, err := tx.UseRecoveryCode(ctx, user, hash, r.Changes.Now())
			if err == nil && !won {
				err = ErrWrong
			}
			return err
		}}, nil
}
