package token

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/regular"
)

// TrustConfig is another issuer whose access tokens (typ at+jwt as RFC 9068 has it, RS256) are accepted.
type TrustConfig struct {
	Issuer       string   // exactly its `iss`
	JWKS         string   // https URL (http for loopback), or a file
	Audience     []string // one of these must be in `aud`
	SubjectClaim string   // names the person; default "sub"
	RolesClaim   string   // default "roles"; dots lead into objects
	Logger       *slog.Logger
	Now          func() time.Time
}

const (
	fetchWait = time.Second      // how long a request waits for keys
	fetchGap  = 30 * time.Second // between two fetches: a flood of unknown kids must not become one of requests (OC-09)
	keysFresh = time.Hour        // after which known keys are fetched again in the background: a key may have been withdrawn
	keysLife  = 24 * time.Hour   // how long fetched keys are believed while the issuer is down (FAULTS 25)
)

// Trust holds the keys of a trusted issuer.
type Trust struct {
	cfg        TrustConfig
	client     *http.Client // nil: the keys are from a file
	generation atomic.Uint64

	mu      sync.Mutex
	keys    map[string]*rsa.PublicKey
	fetched time.Time
	tried   time.Time
	flight  chan struct{} // closed when the fetch under way is done
}

// NewTrust checks the settings and reads a file; a URL is fetched when its keys are needed for the first time.
func NewTrust(cfg TrustConfig) (*Trust, error) {
	if cfg.SubjectClaim == "" {
		cfg.SubjectClaim = "sub"
	}
	if cfg.RolesClaim == "" {
		cfg.RolesClaim = "roles"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Issuer == "" || len(cfg.Audience) == 0 {
		return nil, errors.New("an issuer and an audience are needed")
	}
	if strings.Contains(cfg.Issuer, "|") { // it divides issuer and subject in a user id
		return nil, errors.New("an issuer cannot contain |")
	}
	t := &Trust{cfg: cfg}
	u, err := url.Parse(cfg.JWKS)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			return nil, errors.New("jwks must be fetched over https")
		}
		t.client = newClient()
		return t, nil
	}
	t.keys, err = readKeyFile(cfg.JWKS)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	return t, nil
}

func readKeyFile(path string) (map[string]*rsa.PublicKey, error) {
	raw, err := regular.Read(path, maxJWKS)
	if err != nil {
		return nil, err
	}
	return parseJWKS(raw)
}

func readLimited(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxJWKS+1))
	if err == nil && len(raw) > maxJWKS {
		err = errors.New("the JWK set is larger than 1 MiB")
	}
	return raw, err
}

// key finds a key. A known one costs no request and no wait; an unknown one starts at most one fetch per gap, shared by
// all who wait for it.
func (t *Trust) key(ctx context.Context, kid string) (*rsa.PublicKey, error) {
	t.mu.Lock()
	k, age := t.believed(kid)
	if k != nil && age < keysFresh || t.client == nil {
		t.mu.Unlock()
		if k == nil {
			return nil, bad("kid")
		}
		return k, nil
	}
	flight := t.begin()
	empty := t.client != nil && (t.fetched.IsZero() || age >= keysLife)
	t.mu.Unlock()
	if k != nil {
		return k, nil
	}
	if flight == nil {
		return nil, t.missing(empty)
	}
	timer := time.NewTimer(fetchWait)
	defer timer.Stop()
	select {
	case <-flight:
	case <-ctx.Done():
	case <-timer.C:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if k, age = t.believed(kid); k != nil {
		return k, nil
	}
	return nil, t.missing(t.fetched.IsZero() || age >= keysLife)
}

// believed finds a key that is not too old to be believed, and the age of the set. The lock is held.
func (t *Trust) believed(kid string) (*rsa.PublicKey, time.Duration) {
	if t.client == nil {
		return t.keys[kid], 0
	}
	age := t.cfg.Now().Sub(t.fetched)
	if age >= keysLife {
		return nil, age
	}
	return t.keys[kid], age
}

// begin starts a fetch, or joins the one under way; nil when the last try was too short ago. The lock is held.
func (t *Trust) begin() chan struct{} {
	if t.flight != nil {
		return t.flight
	}
	now := t.cfg.Now()
	if !t.tried.IsZero() && now.Sub(t.tried) < fetchGap {
		return nil
	}
	t.flight, t.tried = make(chan struct{}), now
	go t.fetch(t.flight)
	return t.flight
}

// missing tells an issuer whose keys cannot be had from a kid that it does not have.
func (t *Trust) missing(empty bool) error {
	if empty {
		return &identity.Error{Code: identity.CodeStateUnavailable, Detail: "The keys of the token's issuer cannot be read right now.", RetryAfter: 5 * time.Second,
			Err: errors.New("the keys of " + t.cfg.Issuer + " cannot be had")}
	}
	return bad("kid")
}
