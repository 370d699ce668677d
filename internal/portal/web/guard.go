package web

import (
	"errors"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/cors"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Guard refuses requests that another site's page makes a browser send, and those that could be replays.
type Guard struct{ protection *http.CrossOriginProtection }

// NewGuard returns the guard of a portal that the pages of these origins may call.
func NewGuard(trusted *cors.Origins) (Guard, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range trusted.List() {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return Guard{}, err
		}
	}
	return Guard{protection}, nil
}

// Check refuses what another site's page makes a browser do (CS-01, CS-13) and requests that could be replays (HD-10).
func (g Guard) Check(c *Call) error {
	if !c.Client.Secure(c.R) {
		return identity.Refuse(identity.CodeHTTPSRequired, "")
	}
	if c.R.TLS != nil && !c.R.TLS.HandshakeComplete {
		return identity.Refuse(identity.CodeTooEarly, "")
	}
	if err := g.foreign(c); err != nil {
		return identity.Refuse(identity.CodeCrossOrigin, "").Because(err)
	}
	h := c.R.Header
	switch h.Get("Sec-Fetch-Dest") {
	case "iframe", "frame", "embed", "object", "fencedframe":
		return identity.Refuse(identity.CodeCrossOrigin, "This page cannot be shown inside another page.")
	}
	if c.API && h.Get("Sec-Fetch-Site") == "cross-site" && h.Get("Sec-Fetch-Mode") != "navigate" &&
		!c.CORS.Allows(h.Get("Origin")) {
		return identity.Refuse(identity.CodeCrossOrigin, "")
	}
	return nil
}

var errForeignOrigin = errors.New("the Origin header is not that of this host")

// foreign refuses changes that another site's page makes a browser do. Of browsers without Fetch Metadata, Go's own
// check compares the Origin's host with Host; scheme and port belong to it too.
func (g Guard) foreign(c *Call) error {
	switch c.R.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	h := c.R.Header
	if h.Get("Sec-Fetch-Site") != "" || len(h["Origin"]) == 0 {
		return g.protection.Check(c.R)
	}
	if len(h["Origin"]) != 1 || !c.Origins.FromHere(c.R) && !c.CORS.Allows(h.Get("Origin")) {
		return errForeignOrigin
	}
	return nil
}

// Identify finds the caller: the cookie on the host it was made for, or a bearer token on every host. A token that does
// not verify is refused where the caller matters. Elsewhere it is as if it had not been sent, so that a client which
// sends its old token along can still refresh it or sign in. So is one that cannot be checked now, as while a trusted
// issuer is down.
func (c *Call) Identify(matters bool) error {
	if !c.Verifier.Revocations.Ready() {
		return identity.Unavailable(nil)
	}
	found, err := c.Verifier.Verify(c.Context(), c.Credential, c.Host)
	if code := identity.CodeOf(err); !matters && c.Credential.Bearer != "" &&
		(code == identity.CodeInvalidToken || code == identity.CodeStateUnavailable) {
		c.PassedOver, c.Credential.Bearer = err, ""
		found, err = c.Verifier.Verify(c.Context(), c.Credential, c.Host)
	}
	if err != nil {
		return err
	}
	if c.Credential.Cookies > 1 {
		authn.ClearCookie(c.W.Header(), authn.SessionCookie)
	}
	c.Entry = found.Entry
	return nil
}
