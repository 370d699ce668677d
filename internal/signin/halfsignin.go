package signin

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// HalfSignIns are sign-ins whose second step is due: their factor, or the one that has to be set up within the sign-in.
type HalfSignIns struct {
	changes  *change.Changes
	metrics  Metrics
	attempts *attempts
	devices  *Devices
	opener   *opener
	passkeys *passkeys
	totp     *secondfactor.Authenticators
	recovery *secondfactor.RecoveryCodes
	factors  *Factors
}

// HalfKey names a half sign-in.
type HalfKey [32]byte

// BrowserHalf is the half sign-in of the browser with this flow cookie (MF-09).
func BrowserHalf(flow string) HalfKey { return sha256.Sum256([]byte("truxe half sign-in:" + flow)) }

// APIHalf is the half sign-in of an mfa_token; false for what cannot be one.
func APIHalf(token string) (HalfKey, bool) {
	hash, ok := session.ParseSecret(token)
	return HalfKey(hash), ok
}

// HalfLife is how long the second step may take (MF-09).
const HalfLife = 5 * time.Minute

// HalfTries is how many codes one half sign-in may try (MF-05).
const HalfTries = 5

// Half is a sign-in whose first step is done. It does not sign its user in (R6).
type Half struct {
	User identity.User
	// Methods completes it on this host, best first (the user's own choice before others). With neither Methods nor
	// Enrol the user's passkeys are of other hosts: they sign in there.
	Methods  []string
	Enrol    []string // not empty: a second factor is required and there is none; these can be set up on this host
	Remember bool
	Tries    int // codes that may still be tried
	Expires  time.Time
}

var errHalf = identity.LoginRequired("This sign-in took too long or has ended. Sign in again.")

// Read returns a half sign-in. One that is gone, expired, or of another host is CodeLoginRequired.
func (h *HalfSignIns) Read(ctx context.Context, key HalfKey, host string) (Half, error) {
	p, user, f, err := h.read(ctx, key, host)
	if err != nil {
		return Half{}, err
	}
	return h.view(p, user.User, f), nil
}

// read reads a half sign-in with its user and their factors.
func (h *HalfSignIns) read(ctx context.Context, key HalfKey,
	host string) (store.PendingSignIn, store.UserRecord, store.Factors, error) {
	var f store.Factors
	now := h.changes.Now()
	p, err := h.changes.Store.Pending(ctx, key, now)
	if err == nil && p.Host != host {
		err = store.ErrNotFound
	}
	if err != nil {
		return p, store.UserRecord{}, f, halfGone(err)
	}
	user, err := h.changes.Store.UserByID(ctx, p.UserID)
	if err == nil && user.Disabled {
		err = store.ErrNotFound
	}
	if err != nil {
		return p, user, f, halfGone(err)
	}
	f, err = h.changes.Store.Factors(ctx, user.ID, host, now)
	if err == nil && !f.Any() && !h.factors.mustHave(user.User, f) { // the configuration has changed meanwhile
		err = store.ErrNotFound
	}
	return p, user, f, halfGone(err)
}

func halfGone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return errHalf
	}
	return store.Unavailable(err)
}

func (h *HalfSignIns) view(p store.PendingSignIn, user identity.User, f store.Factors) Half {
	half := Half{User: user, Remember: p.Remember, Tries: max(0, HalfTries-p.Tries), Expires: p.Expires}
	if f.Any() {
		half.Methods = secondSteps(f)
	} else {
		half.Enrol = h.factors.enrolable(p.Host)
	}
	return half
}

// StartOver ends a half sign-in. None is no error.
func (h *HalfSignIns) StartOver(ctx context.Context, key HalfKey) error {
	_, err := h.changes.Store.EndPending(ctx, key)
	return store.Unavailable(err)
}

// errNoFlow answers a browser without a flow cookie: its half sign-in could be continued in any other browser (MF-09).
var errNoFlow = identity.Invalid("Open the sign-in page again. Cookies have to be allowed for it.")

// begin stores that the password was right: no session starts before the second step (R6, MF-08).
func (h *HalfSignIns) begin(ctx context.Context, tx *change.Tx, in PasswordTry, user identity.User, f store.Factors,
	device *store.Device) (SignedIn, error) {
	now := h.changes.Now()
	key, token := BrowserHalf(in.Flow), ""
	switch {
	case in.Kind == session.API:
		var hash [32]byte
		token, hash = session.NewSecret()
		key = hash
	case in.Flow == "":
		return SignedIn{}, errNoFlow
	}
	p := store.PendingSignIn{Key: key, UserID: user.ID, Kind: in.Kind, Host: in.By.Host,
		AMR: []string{identity.AMRPassword}, Remember: in.Remember,
		Created: now, Expires: now.Add(HalfLife)}
	if device != nil {
		p.Device = device.ID.String()
	}
	if err := tx.PutPending(ctx, p); err != nil {
		return SignedIn{}, err
	}
	half := h.view(p, user, f)
	e := in.By.UserEvent(audit.AuthnMFARequired, user)
	e.Details = map[string]string{"kind": in.Kind}
	if len(half.Enrol) > 0 {
		e.Reason = "enrolment"
	}
	tx.Record(e)
	return SignedIn{Opened: sessions.Opened{User: user}, Half: &half, MFAToken: token}, nil
}
