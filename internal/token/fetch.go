package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	fetchTimeout = 5 * time.Second
	maxJWKS      = 1 << 20
)

// newClient follows redirects on the same host only (OC-09) and keeps no connection open between fetches.
func newClient() *http.Client {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true, TLSHandshakeTimeout: fetchTimeout}
	return &http.Client{Timeout: fetchTimeout, Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
				return errors.New("redirect to another host")
			}
			if len(via) > 3 {
				return errors.New("more than 3 redirects")
			}
			return nil
		}}
}

// fetch replaces the keys by what the issuer publishes now. What is no key set changes nothing.
func (t *Trust) fetch(flight chan struct{}) {
	keys, err := t.get()
	t.mu.Lock()
	if err == nil {
		if !t.keys.equal(keys) {
			t.generation.Add(1) // tokens verified with a key that is gone are verified anew
		}
		t.keys, t.fetched = keys, t.cfg.Now()
	}
	t.flight = nil
	t.mu.Unlock()
	close(flight)
	if err != nil {
		t.cfg.Logger.Warn("could not fetch the keys of a trusted issuer", "issuer", t.cfg.Issuer, "error", err)
	}
}

func (t *Trust) get() (keySet, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.cfg.JWKS, nil)
	if err != nil {
		return nil, errors.New("the URL of its keys cannot be asked")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := t.client.Do(req)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) { // it names the whole URL, in which there may be a secret
			err = outer.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	raw, err := readLimited(resp.Body)
	if err != nil {
		return nil, err
	}
	return parseJWKS(raw, t.profile.algorithms)
}
