package token

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// RingConfig of a Ring.
type RingConfig struct {
	Bits   int           // of generated keys, default 2048
	Import string        // a key to sign with instead of a generated one
	Rotate time.Duration // after which a new key takes over; default 90 d
	Access time.Duration // lifetime of access tokens; an old key verifies this long after its last signature
	// Publish is how long a new key is in the JWKS before it signs (JW-17). Default 2 min: longer than other services
	// cache the set for.
	Publish time.Duration
	Logger  *slog.Logger
	Now     func() time.Time
}

// ringKey is a key in memory.
type ringKey struct {
	record  store.KeyRecord
	private *rsa.PrivateKey
	public  *rsa.PublicKey
}

// snapshot is the ring at one moment.
type snapshot struct {
	keys       []*ringKey
	byKID      map[string]*ringKey
	generation uint64
}

// Ring holds the signing keys. One signs; those before it verify until their last token has ended; the next is published
// before it signs.
type Ring struct {
	cfg     RingConfig
	store   *store.Store
	box     *secret.Box
	current atomic.Pointer[snapshot]
}

// OpenRing loads the ring, and makes the first key where there is none. Of nodes that start at once, one makes it.
func OpenRing(ctx context.Context, st *store.Store, box *secret.Box, cfg RingConfig) (*Ring, error) {
	if cfg.Bits == 0 {
		cfg.Bits = minBits
	}
	if cfg.Publish == 0 {
		cfg.Publish = 2 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	r := &Ring{cfg: cfg, store: st, box: box}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	return r, r.Reload(ctx)
}

// prepare makes or imports the first key.
func (r *Ring) prepare(ctx context.Context) error {
	records, err := r.store.Keys(ctx)
	if err != nil {
		return err
	}
	if r.cfg.Import == "" {
		if len(records) > 0 {
			return nil
		}
		key, err := rsa.GenerateKey(rand.Reader, r.cfg.Bits)
		if err != nil {
			return err
		}
		return r.store.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.Lock(ctx, "keys"); err != nil {
				return err
			}
			if there, err := tx.Keys(ctx); err != nil || len(there) > 0 {
				return err
			}
			return r.insert(ctx, tx, key, "generated", r.cfg.Now())
		})
	}
	key, err := ImportKey(r.cfg.Import)
	if err != nil {
		return err
	}
	return r.store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Lock(ctx, "keys"); err != nil {
			return err
		}
		there, err := tx.Keys(ctx)
		if err != nil {
			return err
		}
		for _, k := range there {
			if k.KID == thumbprint(&key.PublicKey) {
				return nil
			}
		}
		if err := r.retire(ctx, tx, there, r.cfg.Now()); err != nil {
			return err
		}
		return r.insert(ctx, tx, key, "imported", r.cfg.Now())
	})
}

func (r *Ring) insert(ctx context.Context, tx *store.Tx, key *rsa.PrivateKey, source string, activates time.Time) error {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	kid := thumbprint(&key.PublicKey)
	return tx.InsertKey(ctx, store.KeyRecord{KID: kid, Sealed: r.box.Seal(private, keyAAD(kid)), PublicDER: public, Source: source,
		Created: r.cfg.Now(), Activates: activates})
}

func keyAAD(kid string) []byte { return []byte("truxe signing key:" + kid) }

// retire ends the signing of keys that have no end yet.
func (r *Ring) retire(ctx context.Context, tx *store.Tx, keys []store.KeyRecord, at time.Time) error {
	for _, k := range keys {
		if k.Retires.IsZero() || k.Retires.After(at) {
			k.Retires, k.Expires = at, at.Add(r.cfg.Access+2*time.Minute)
			if err := tx.UpdateKey(ctx, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// Reload reads the ring anew and, when the signing key is old enough, begins a rotation. A key that cannot be decrypted
// is an error: the ring in memory stays as it is (FAULTS 24).
func (r *Ring) Reload(ctx context.Context) error {
	records, err := r.store.Keys(ctx)
	if err != nil {
		return err
	}
	next := &snapshot{byKID: map[string]*ringKey{}}
	now, newest := r.cfg.Now(), time.Time{}
	for _, rec := range records {
		if !rec.Expires.IsZero() && now.After(rec.Expires) {
			continue
		}
		k, err := r.open(rec)
		if err != nil {
			return err
		}
		next.keys = append(next.keys, k)
		next.byKID[rec.KID] = k
		if rec.Created.After(newest) {
			newest = rec.Created
		}
	}
	if next.signer(now) == nil {
		return errors.New("the key ring has no key that may sign")
	}
	if old := r.current.Load(); old != nil {
		next.generation = old.generation
		if !sameKeys(old, next) {
			next.generation++
		}
	}
	r.current.Store(next)
	if r.cfg.Import == "" && r.cfg.Rotate > 0 && now.Sub(newest) > r.cfg.Rotate {
		_, err := r.Rotate(ctx, nil)
		return err
	}
	return nil
}

func sameKeys(a, b *snapshot) bool {
	if len(a.keys) != len(b.keys) {
		return false
	}
	for kid := range a.byKID {
		if b.byKID[kid] == nil {
			return false
		}
	}
	return true
}

func (r *Ring) open(rec store.KeyRecord) (*ringKey, error) {
	der, err := r.box.Open(rec.Sealed, keyAAD(rec.KID))
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w; restore the encryption key, or add the old one after the new one: encryption_key <new> <old>", rec.KID, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("signing key %s is damaged", rec.KID)
	}
	if err := checkPublic(&key.PublicKey); err != nil {
		return nil, fmt.Errorf("signing key %s: %w", rec.KID, err)
	}
	return &ringKey{record: rec, private: key, public: &key.PublicKey}, nil
}

// signer is the key that signs: the last one that has become active and has not retired.
func (s *snapshot) signer(now time.Time) *ringKey {
	var best *ringKey
	for _, k := range s.keys {
		if k.record.Activates.After(now) || !k.record.Retires.IsZero() && !k.record.Retires.After(now) {
			continue
		}
		if best == nil || k.record.Activates.After(best.record.Activates) {
			best = k
		}
	}
	return best
}

// Rotate lets a new key take over: published now, signing after Publish; the old ones verify until their last token has
// ended (JW-17). record writes the audit line in the same transaction; it may be nil.
func (r *Ring) Rotate(ctx context.Context, record func(*store.Tx, KeyInfo) error) (KeyInfo, error) {
	key, err := rsa.GenerateKey(rand.Reader, r.cfg.Bits)
	if err != nil {
		return KeyInfo{}, err
	}
	at := r.cfg.Now().Add(r.cfg.Publish)
	info := KeyInfo{KID: thumbprint(&key.PublicKey), State: "next", Source: "generated", Activates: stamp(at)}
	err = r.store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Lock(ctx, "keys"); err != nil {
			return err
		}
		there, err := tx.Keys(ctx)
		if err != nil {
			return err
		}
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
	records, err := r.store.Keys(ctx)
	if err != nil {
		return info, err
	}
	next := &snapshot{byKID: map[string]*ringKey{}, generation: r.current.Load().generation + 1}
	for _, rec := range records {
		k, err := r.open(rec)
		if err != nil {
			return info, err
		}
		next.keys = append(next.keys, k)
		next.byKID[rec.KID] = k
	}
	r.current.Store(next)
	return info, nil
}

// public finds a key of ours.
func (r *Ring) public(kid string) *rsa.PublicKey {
	if k := r.current.Load().byKID[kid]; k != nil && (k.record.Expires.IsZero() || r.cfg.Now().Before(k.record.Expires)) {
		return k.public
	}
	return nil
}

// Generation changes whenever the set of keys does.
func (r *Ring) Generation() uint64 { return r.current.Load().generation }

// JWKS is the published set and its ETag.
func (r *Ring) JWKS() (body []byte, etag string) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range r.current.Load().keys {
		j := publicJWK(k.public)
		j.Kid = k.record.KID
		set.Keys = append(set.Keys, j)
	}
	body, _ = json.Marshal(set)
	sum := sha256.Sum256(body)
	return body, `"` + hex.EncodeToString(sum[:8]) + `"`
}

// KeyInfo is a key as the command line shows it.
type KeyInfo struct {
	KID       string `json:"kid"`
	State     string `json:"state"` // next, signing, verifying
	Source    string `json:"source"`
	Created   string `json:"created,omitempty"`
	Activates string `json:"activates"`
	Retires   string `json:"retires,omitempty"`
	Expires   string `json:"expires,omitempty"`
}

// List shows the ring.
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
		list = append(list, KeyInfo{KID: k.record.KID, State: state, Source: k.record.Source, Created: stamp(k.record.Created),
			Activates: stamp(k.record.Activates), Retires: stamp(k.record.Retires), Expires: stamp(k.record.Expires)})
	}
	return list
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
