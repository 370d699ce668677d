package token

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// RingConfig of a Ring.
type RingConfig struct {
	Bits int // of generated keys: 2048 (default), 3072 or 4096
	// Import is a key to sign with instead of a generated one, as ImportKey reads it. Such a ring does not rotate by
	// itself.
	Import string
	Rotate time.Duration // after which a new key takes over; 0: not by itself
	Access time.Duration // lifetime of access tokens; an old key verifies this long after its last signature
	// Publish is how long a new key is in the JWKS before it signs (JW-17). Default 2 min: longer than the minute for
	// which our JWKS may be cached, and than the minute after which every node reads the ring.
	Publish time.Duration
	// OnRotate runs in the transaction of a rotation that the ring begins by itself, to audit it. May be nil.
	OnRotate func(ctx context.Context, tx *store.Tx, info KeyInfo) error
	// OnChange runs after each change of the keys that this ring has committed and loaded, to publish it to the other
	// nodes. May be nil.
	OnChange func(ctx context.Context) error
	Logger   *slog.Logger
	Now      func() time.Time
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
	heads      map[string]bool // the encoded headers of tokens that these keys sign
	jwks       []byte
	etag       string
	generation uint64
}

// Ring holds the signing keys. One signs; those before it verify until their last token has ended; the next one is
// published before it signs.
type Ring struct {
	cfg     RingConfig
	store   *store.Store
	box     *secret.Box
	mu      sync.Mutex // one reader at a time: an older reading never replaces a newer one
	current atomic.Pointer[snapshot]
}

// OpenRing loads the ring, makes the first key where there is none, and takes over an imported key. Of nodes that start
// at once, one makes it (FAULTS 15). A key that cannot be decrypted is an error before anything is written (FAULTS 24).
func OpenRing(ctx context.Context, st *store.Store, box *secret.Box, cfg RingConfig) (*Ring, error) {
	switch cfg.Bits {
	case 0:
		cfg.Bits = minBits
	case 2048, 3072, 4096:
	default:
		return nil, fmt.Errorf("signing keys of %d bits: use 2048, 3072 or 4096", cfg.Bits)
	}
	if cfg.Publish == 0 {
		cfg.Publish = 2 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Ring{cfg: cfg, store: st, box: box}
	if _, err := r.read(ctx); err != nil {
		return nil, err
	}
	changed, err := r.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.Reload(ctx); err != nil {
		return nil, err
	}
	if changed {
		r.announce(ctx)
	}
	return r, nil
}

// Reload reads the ring anew and, when the signing key is old enough, begins a rotation. On an error the ring in memory
// stays as it is (FAULTS 24).
func (r *Ring) Reload(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	s := r.current.Load()
	if r.cfg.Import != "" || !r.due(s.records()) {
		return nil
	}
	info, err := r.rotate(ctx, true, func(tx *store.Tx, info KeyInfo) error {
		if r.cfg.OnRotate == nil {
			return nil
		}
		return r.cfg.OnRotate(ctx, tx, info)
	})
	if err == nil && info.KID != "" { // otherwise another node was faster
		r.announce(ctx)
	}
	return err
}

func (r *Ring) load(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, err := r.read(ctx)
	if err != nil {
		return err
	}
	if next.signer(r.cfg.Now()) == nil {
		return errors.New("the key ring has no key that may sign")
	}
	if old := r.current.Load(); old != nil {
		next.generation = old.generation
		if !sameKeys(old, next) {
			next.generation++
		}
	}
	r.current.Store(next)
	return nil
}

// read opens all keys that may still be needed.
func (r *Ring) read(ctx context.Context) (*snapshot, error) {
	records, err := r.store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	old, now := r.current.Load(), r.cfg.Now()
	s := &snapshot{byKID: map[string]*ringKey{}, heads: map[string]bool{}}
	for _, rec := range records {
		if expired(rec, now) {
			continue
		}
		k, err := r.open(old, rec)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, k)
		s.byKID[rec.KID] = k
		s.heads[encodedHeader(rec.KID)] = true
	}
	s.jwks, s.etag = writeJWKS(s.keys)
	return s, nil
}

func expired(rec store.KeyRecord, now time.Time) bool {
	return !rec.Expires.IsZero() && !now.Before(rec.Expires)
}

// encodedHeader is the first segment of the tokens that a key signs.
func encodedHeader(kid string) string {
	raw, _ := json.Marshal(map[string]any{"alg": "RS256", "kid": kid, "typ": typ})
	return base64.RawURLEncoding.EncodeToString(raw)
}

// open decrypts a key, or takes it from the reading before: decrypting and checking costs a millisecond.
func (r *Ring) open(old *snapshot, rec store.KeyRecord) (*ringKey, error) {
	if old != nil && old.byKID[rec.KID] != nil {
		k := old.byKID[rec.KID]
		return &ringKey{record: rec, private: k.private, public: k.public}, nil
	}
	der, err := r.box.Open(rec.Sealed, keyAAD(rec.KID))
	if err != nil {
		return nil,
			fmt.Errorf("signing key %s: %w; restore the encryption key, or name the old one after the new one: encryption_key <new> <old>", rec.KID, err)
	}
	key, err := parsePrivate(der)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", rec.KID, err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil || string(public) != string(rec.PublicDER) || thumbprint(&key.PublicKey) != rec.KID {
		return nil, fmt.Errorf("signing key %s: its public and private halves differ; restore the row from a backup", rec.KID)
	}
	return &ringKey{record: rec, private: key, public: &key.PublicKey}, nil
}

func keyAAD(kid string) []byte { return []byte("truxe signing key:" + kid) }

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

func (s *snapshot) records() []store.KeyRecord {
	list := make([]store.KeyRecord, len(s.keys))
	for i, k := range s.keys {
		list[i] = k.record
	}
	return list
}

// signer is the key that signs: the last one that has become active and has not retired.
func (s *snapshot) signer(now time.Time) *ringKey {
	var best *ringKey
	for _, k := range s.keys {
		if !signing([]store.KeyRecord{k.record}, now) {
			continue
		}
		if best == nil || k.record.Activates.After(best.record.Activates) {
			best = k
		}
	}
	return best
}

// public finds a key of ours that may verify.
func (r *Ring) public(kid string) *rsa.PublicKey {
	if k := r.current.Load().byKID[kid]; k != nil && !expired(k.record, r.cfg.Now()) {
		return k.public
	}
	return nil
}

// Generation grows whenever the set of keys changes.
func (r *Ring) Generation() uint64 { return r.current.Load().generation }

// JWKS is the published set and its ETag. Callers must not change the bytes.
func (r *Ring) JWKS() (body []byte, etag string) {
	s := r.current.Load()
	return s.jwks, s.etag
}
