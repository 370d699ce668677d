package token

import (
	"cmp"
	"context"
	"crypto"
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
	"github.com/truxeio/caddy-truxe/internal/loopback"
	"github.com/truxeio/caddy-truxe/internal/regular"
)

// TrustConfig is another issuer whose access tokens are accepted.
type TrustConfig struct {
	Issuer       string   // exactly its `iss`
	JWKS         string   // https URL (http for loopback), or a file
	Audience     []string // one of these must be in `aud`
	SubjectClaim string   // names the person; default "sub"
	RolesClaim   string   // default "roles"; dots lead into objects
	// Roles maps roles of the issuer to ours. What is not mapped gives nothing: an issuer's `admin` is not our admin.
	Roles []RoleMap
	// UsernamePrefix is put before a subject to make a user name that no user of ours has. "": the issuer and "|";
	// PlainNames: nothing.
	UsernamePrefix string
	Types          []string // `typ` of its tokens: "at+jwt" (default), "JWT"
	Algorithms     []string // "RS256" (default), "ES256", "EdDSA"
	Logger         *slog.Logger
	Now            func() time.Time
}

// RoleMap assigns a role of ours to users who have one of the issuer's.
type RoleMap struct {
	Role string
	From []string
}

// PlainNames is the UsernamePrefix of an issuer whose subjects are user names as they are.
const PlainNames = "none"

const (
	fetchWait = time.Second      // how long a request waits for keys
	fetchGap  = 30 * time.Second // between two fetches: a flood of unknown kids must not become one of requests (OC-09)
	// after which known keys are fetched again in the background: a key may have been withdrawn
	keysFresh = time.Hour
	keysLife  = 24 * time.Hour // how long fetched keys are believed while the issuer is down (FAULTS 25)
)

// Trust holds the keys of a trusted issuer.
type Trust struct {
	cfg        TrustConfig
	profile    profile
	client     *http.Client // nil: the keys are from a file
	generation atomic.Uint64

	mu      sync.Mutex
	keys    keySet
	fetched time.Time
	tried   time.Time
	flight  chan struct{} // closed when the fetch under way is done
}

// NewTrust checks the settings and reads a file; a URL is fetched when its keys are needed for the first time.
func NewTrust(cfg TrustConfig) (*Trust, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	t := &Trust{cfg: cfg.withDefaults()}
	var err error
	if t.profile, err = newProfile(cfg.Types, cfg.Algorithms); err != nil {
		return nil, err
	}
	u, err := url.Parse(cfg.JWKS)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		if u.Scheme == "http" && !loopback.Host(u.Hostname()) {
			return nil,
				errors.New("jwks must be fetched over https: keys that come over plain http can be exchanged on their way; use an https URL or a file")
		}
		t.client = newClient()
		return t, nil
	}
	if strings.Contains(cfg.JWKS, "://") {
		return nil, errors.New("jwks is neither an https URL nor a file")
	}
	t.keys, err = t.readKeyFile(cfg.JWKS)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	return t, nil
}

func (c TrustConfig) withDefaults() TrustConfig {
	c.SubjectClaim, c.RolesClaim = cmp.Or(c.SubjectClaim, "sub"), cmp.Or(c.RolesClaim, "roles")
	c.UsernamePrefix = cmp.Or(c.UsernamePrefix, c.Issuer+"|")
	if c.UsernamePrefix == PlainNames {
		c.UsernamePrefix = ""
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// maxPrefix bounds what is put before a user name, in bytes.
const maxPrefix = 64

func (c TrustConfig) check() error {
	switch {
	case c.Issuer == "" || len(c.Audience) == 0:
		return errors.New("an issuer and an audience are needed")
	case strings.Contains(c.Issuer, "|"): // it divides issuer and subject in a user id
		return errors.New("an issuer cannot contain |")
	case c.RolesClaim != "" && len(c.Roles) == 0:
		return errors.New("roles_claim without a mapping: roles of another issuer count only where `role <ours> from <theirs...>` says so, for example: role staff from staff")
	case c.UsernamePrefix != "" && !cleanName(c.UsernamePrefix, maxPrefix):
		return fmt.Errorf("username_prefix is at most %d printable bytes, or %s", maxPrefix, PlainNames)
	}
	for _, m := range c.Roles {
		for _, name := range append([]string{m.Role}, m.From...) {
			if !cleanName(name, 128) {
				return fmt.Errorf("role %q: a role has 1 to 128 printable bytes", m.Role)
			}
		}
		if len(m.From) == 0 {
			return fmt.Errorf("role %s: write `role <ours> from <theirs...>`", m.Role)
		}
	}
	return nil
}

func (t *Trust) readKeyFile(path string) (keySet, error) {
	raw, err := regular.Read(path, maxJWKS)
	if err != nil {
		return nil, err
	}
	return parseJWKS(raw, t.profile.algorithms)
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
func (t *Trust) key(ctx context.Context, h header) (crypto.PublicKey, error) {
	t.mu.Lock()
	k, age := t.believed(h)
	if k != nil && age < keysFresh || t.client == nil {
		t.mu.Unlock()
		if k == nil {
			return nil, bad(unknownKey)
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
	if k, age = t.believed(h); k != nil {
		return k, nil
	}
	return nil, t.missing(t.fetched.IsZero() || age >= keysLife)
}

// believed finds a key that is not too old to be believed, and the age of the set. The lock is held.
func (t *Trust) believed(h header) (crypto.PublicKey, time.Duration) {
	if t.client == nil {
		return t.keys.find(h), 0
	}
	age := t.cfg.Now().Sub(t.fetched)
	if age >= keysLife {
		return nil, age
	}
	return t.keys.find(h), age
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

// missing distinguishes an issuer whose keys are unavailable from a kid that it does not have.
func (t *Trust) missing(empty bool) error {
	if empty {
		return identity.Refuse(identity.CodeStateUnavailable, "The keys of the token's issuer cannot be read right now.").
			Because(errors.New("the keys of " + t.cfg.Issuer + " are unavailable")).RetryIn(5 * time.Second)
	}
	return bad(unknownKey)
}
