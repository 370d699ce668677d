package token

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// TrustConfig is another issuer whose access tokens (typ at+jwt, RS256) are accepted.
type TrustConfig struct {
	Issuer       string
	JWKS         string // https URL, or a file
	Audience     []string
	SubjectClaim string // default "sub"
	RolesClaim   string // default "roles"; dots lead into objects
	Logger       *slog.Logger
	Now          func() time.Time
}

const (
	fetchTimeout = 5 * time.Second
	fetchWait    = time.Second      // how long a request waits for keys
	fetchGap     = 30 * time.Second // between two fetches: a flood of unknown kids must not become one of requests (OC-09)
	keysLife     = 24 * time.Hour   // how long fetched keys are used while the issuer is down (FAULTS 25)
	maxJWKS      = 1 << 20
)

// Trust holds the keys of a trusted issuer.
type Trust struct {
	cfg    TrustConfig
	client *http.Client

	mu      sync.Mutex
	keys    map[string]*rsa.PublicKey
	fetched time.Time
	tried   time.Time
	flight  chan struct{} // closed when the fetch under way is done
}

// NewTrust checks the settings and reads a file; a URL is fetched when its keys are needed.
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
	t := &Trust{cfg: cfg}
	u, err := url.Parse(cfg.JWKS)
	if err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			return nil, errors.New("jwks must be fetched over https")
		}
		t.client = &http.Client{Timeout: fetchTimeout, CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 || r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
				return errors.New("redirect to another host")
			}
			return nil
		}}
		return t, nil
	}
	raw, err := os.ReadFile(cfg.JWKS)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	if len(raw) > maxJWKS {
		return nil, errors.New("jwks: the file is larger than 1 MiB")
	}
	if t.keys, err = parseJWKS(raw); err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	return t, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// key finds a key. A known one costs no request; an unknown one starts at most one fetch per gap, shared by all who wait.
func (t *Trust) key(ctx context.Context, kid string) (*rsa.PublicKey, error) {
	t.mu.Lock()
	now := t.cfg.Now()
	fresh := t.client == nil || now.Sub(t.fetched) < keysLife
	if k := t.keys[kid]; k != nil && fresh {
		t.mu.Unlock()
		return k, nil
	}
	if t.client == nil || t.flight == nil && now.Sub(t.tried) < fetchGap {
		empty := t.client != nil && !fresh
		t.mu.Unlock()
		if empty {
			return nil, &identity.Error{Code: identity.CodeStateUnavailable, RetryAfter: fetchGap, Err: errors.New("the keys of " + t.cfg.Issuer + " cannot be had")}
		}
		return nil, bad("unknown kid")
	}
	if t.flight == nil {
		t.flight, t.tried = make(chan struct{}), now
		go t.fetch(t.flight)
	}
	flight := t.flight
	t.mu.Unlock()
	timer := time.NewTimer(fetchWait)
	defer timer.Stop()
	select {
	case <-flight:
	case <-ctx.Done():
	case <-timer.C:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.keys[kid]; k != nil {
		return k, nil
	}
	if t.fetched.IsZero() {
		return nil, &identity.Error{Code: identity.CodeStateUnavailable, RetryAfter: 5 * time.Second, Err: errors.New("the keys of " + t.cfg.Issuer + " cannot be had")}
	}
	return nil, bad("unknown kid")
}

func (t *Trust) fetch(flight chan struct{}) {
	keys, err := t.get()
	t.mu.Lock()
	if err == nil {
		t.keys, t.fetched = keys, t.cfg.Now()
	}
	t.flight = nil
	t.mu.Unlock()
	close(flight)
	if err != nil {
		t.cfg.Logger.Warn("could not fetch the keys of a trusted issuer", "issuer", t.cfg.Issuer, "error", err)
	}
}

func (t *Trust) get() (map[string]*rsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.cfg.JWKS, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxJWKS {
		return nil, errors.New("larger than 1 MiB")
	}
	return parseJWKS(raw)
}

// principal reads a token of this issuer. Its people are apart from ours: the id carries the issuer.
func (t *Trust) principal(raw string, claims map[string]any) (*identity.Principal, error) {
	sub := text(claims, t.cfg.SubjectClaim)
	if sub == "" || len(sub) > 256 {
		return nil, bad("subject")
	}
	jti := text(claims, "jti")
	if len(jti) > 256 {
		return nil, bad("jti")
	}
	if jti == "" { // revocable all the same, by the token itself
		sum := sha256.Sum256([]byte(raw))
		jti = hex.EncodeToString(sum[:16])
	}
	p := principal(claims, t.cfg.Issuer+"|"+jti)
	p.UserID = t.cfg.Issuer + "|" + sub
	p.UserKey = identity.RevocationKey(identity.RevokeUser, p.UserID)
	if p.Username == "" {
		p.Username = sub
	}
	p.Roles = roles(claims, t.cfg.RolesClaim)
	return p, nil
}

// roles follows a dotted path to a list of strings, or one string.
func roles(claims map[string]any, path string) []string {
	if v, there := claims[path]; there {
		return roleList(v)
	}
	var at any = claims
	for name := range strings.SplitSeq(path, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[name]
	}
	return roleList(at)
}

func roleList(v any) []string {
	if s, ok := v.(string); ok && s != "" {
		return []string{s}
	}
	return texts(v)
}
