package token

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// keysLock serializes changes of the ring on all nodes.
const keysLock = "keys"

// prepare creates the first key, or takes over the imported one, and reports whether it changed the ring.
func (r *Ring) prepare(ctx context.Context) (changed bool, err error) {
	if r.cfg.Import != "" {
		key, err := ImportKey(r.cfg.Import)
		if err != nil {
			return false, err
		}
		return r.takeOver(ctx, key)
	}
	records, err := r.store.Keys(ctx)
	if err != nil || len(records) > 0 {
		return false, err
	}
	key, err := rsa.GenerateKey(rand.Reader, r.cfg.Bits) // outside the transaction: it takes up to a second
	if err != nil {
		return false, err
	}
	err = r.locked(ctx, func(tx *store.Tx, there []store.KeyRecord) error {
		if changed = len(there) == 0; !changed {
			return nil // another node was faster
		}
		return r.insert(ctx, tx, key, "generated", r.cfg.Now())
	})
	return changed, err
}

func (r *Ring) locked(ctx context.Context, do func(tx *store.Tx, there []store.KeyRecord) error) error {
	return r.store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Lock(ctx, keysLock); err != nil {
			return err
		}
		there, err := tx.Keys(ctx)
		if err != nil {
			return err
		}
		return do(tx, there)
	})
}

// takeOver lets an imported key sign, once per change of the configuration: a key that was imported
// before and has since been rotated away must not come back with the next start. The first key of a ring signs at once,
// a later one after it was published (JW-17).
func (r *Ring) takeOver(ctx context.Context, key *rsa.PrivateKey) (changed bool, err error) {
	kid := thumbprint(&key.PublicKey)
	err = r.locked(ctx, func(tx *store.Tx, there []store.KeyRecord) error {
		now := r.cfg.Now()
		var known *store.KeyRecord
		var last store.KeyRecord // the import before
		for i, k := range there {
			if k.KID == kid {
				known = &there[i]
			}
			if k.Source == "imported" && !k.Activates.Before(last.Activates) {
				last = k
			}
		}
		if changed = known == nil || last.KID != kid && known.Source == "imported"; !changed {
			return nil
		}
		at := now
		if signing(there, now) {
			at = now.Add(r.cfg.Publish) // the other nodes must know it before it signs
		}
		if err := r.retire(ctx, tx, there, at); err != nil {
			return err
		}
		if known == nil {
			return r.insert(ctx, tx, key, "imported", at)
		}
		back := *known
		back.Activates, back.Retires, back.Expires = at, time.Time{}, time.Time{}
		return tx.UpdateKey(ctx, back)
	})
	return changed, err
}

// signing reports whether a key signs at the moment.
func signing(keys []store.KeyRecord, now time.Time) bool {
	return slices.ContainsFunc(keys, func(k store.KeyRecord) bool {
		return !k.Activates.After(now) && (k.Retires.IsZero() || k.Retires.After(now))
	})
}

func (r *Ring) insert(ctx context.Context, tx *store.Tx, key *rsa.PrivateKey, source string,
	activates time.Time,
) error {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	kid := thumbprint(&key.PublicKey)
	return tx.InsertKey(ctx, store.KeyRecord{KID: kid, Sealed: r.box.Seal(private, keyAAD(kid)), PublicDER: public,
		Source: source, Created: r.cfg.Now(), Activates: activates})
}

// retire ends the signing of keys that have no earlier end, and deletes generated keys whose last token has long ended:
// a private key without a use is only a risk. Imported ones stay, as the memory of takeOver.
func (r *Ring) retire(ctx context.Context, tx *store.Tx, keys []store.KeyRecord, at time.Time) error {
	for _, k := range keys {
		var err error
		switch {
		case k.Source != "imported" && expired(k, r.cfg.Now()):
			err = tx.DeleteKey(ctx, k.KID)
		case k.Retires.IsZero() || k.Retires.After(at):
			// A node's clock may be a minute ahead, and a verifier's behind.
			k.Retires, k.Expires = at, at.Add(r.cfg.Access+2*leeway)
			err = tx.UpdateKey(ctx, k)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// due reports that the newest key is old enough for a successor.
func (r *Ring) due(keys []store.KeyRecord) bool {
	if r.cfg.Rotate <= 0 || len(keys) == 0 {
		return false
	}
	newest := slices.MaxFunc(keys, func(a, b store.KeyRecord) int { return a.Created.Compare(b.Created) })
	return r.cfg.Now().Sub(newest.Created) >= r.cfg.Rotate
}

// Rotate lets a new key take over: published now, signing after Publish; the old ones verify until their last token has
// ended (JW-17). record writes the audit line in the same transaction; it may be nil. With an error from OnChange the
// key has been rotated all the same.
func (r *Ring) Rotate(ctx context.Context, record func(*store.Tx, KeyInfo) error) (KeyInfo, error) {
	info, err := r.rotate(ctx, false, record)
	if err != nil || r.cfg.OnChange == nil {
		return info, err
	}
	return info, r.cfg.OnChange(ctx)
}

// announce publishes a change that the ring made by itself. The other nodes read the ring in time without it, too.
func (r *Ring) announce(ctx context.Context) {
	if r.cfg.OnChange == nil {
		return
	}
	if err := r.cfg.OnChange(ctx); err != nil {
		r.cfg.Logger.Warn("could not tell the other nodes of a new signing key", "error", err)
	}
}

// rotate with onlyDue does nothing when another node was faster.
func (r *Ring) rotate(ctx context.Context, onlyDue bool, record func(*store.Tx, KeyInfo) error) (KeyInfo, error) {
	key, err := rsa.GenerateKey(rand.Reader, r.cfg.Bits)
	if err != nil {
		return KeyInfo{}, err
	}
	var info KeyInfo
	err = r.locked(ctx, func(tx *store.Tx, there []store.KeyRecord) error {
		info = KeyInfo{}
		if onlyDue && !r.due(there) {
			return nil
		}
		now := r.cfg.Now()
		at := now.Add(r.cfg.Publish)
		info = KeyInfo{KID: thumbprint(&key.PublicKey), State: "next", Source: "generated",
			Created: stamp(now), Activates: stamp(at)}
		if err := r.retire(ctx, tx, there, at); err != nil {
			return err
		}
		if err := r.insert(ctx, tx, key, "generated", at); err != nil || record == nil {
			return err
		}
		return record(tx, info)
	})
	if err != nil {
		return KeyInfo{}, err
	}
	return info, r.load(ctx)
}

// KeyInfo is a key as the command line shows it. Times are RFC 3339, "" when not set.
type KeyInfo struct {
	KID       string `json:"kid"`
	State     string `json:"state"` // next, signing, verifying
	Source    string `json:"source"`
	Created   string `json:"created,omitempty"`
	Activates string `json:"activates"`
	Retires   string `json:"retires,omitempty"`
	Expires   string `json:"expires,omitempty"`
}

// List shows the ring, oldest key first.
func (r *Ring) List(now time.Time) []KeyInfo {
	s := r.current.Load()
	signer := s.signer(now)
	list := []KeyInfo{}
	for _, k := range s.keys {
		state := "verifying"
		switch {
		case k == signer:
			state = "signing"
		case k.record.Activates.After(now):
			state = "next"
		}
		r := &k.record
		list = append(list, KeyInfo{KID: r.KID, State: state, Source: r.Source, Created: stamp(r.Created),
			Activates: stamp(r.Activates), Retires: stamp(r.Retires), Expires: stamp(r.Expires)})
	}
	return list
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
