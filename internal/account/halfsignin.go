package account

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// HalfKey names a half sign-in.
type HalfKey [32]byte

// BrowserHalf is the half sign-in of the browser with this flow cookie (MF-09).
func BrowserHalf(flow string) HalfKey { return sha256.Sum256([]byte("truxe half sign-in:" + flow)) }

// APIHalf is the half sign-in of an mfa_token; false for what cannot be one.
func APIHalf(token string) (HalfKey, bool) {
	hash, ok := secret.ParseSessionSecret(token)
	return HalfKey(hash), ok
}

// HalfLife is how long the second step may take (MF-09).
const HalfLife = 5 * time.Minute

// HalfTries is how many codes one half sign-in may try (MF-05).
const HalfTries = 5

// Half is a sign-in whose first step is done: nobody is signed in by it (R6).
type Half struct {
	User identity.User
	// Methods completes it on this host, best first (the person's own choice before others). With neither Methods nor
	// Enrol the person's passkeys are of other hosts: they sign in there.
	Methods  []string
	Enrol    []string // not empty: a second factor is required and there is none; these can be set up on this host
	Remember bool
	Tries    int // codes that may still be tried
	Expires  time.Time
}

var errHalf = &identity.Error{Code: identity.CodeLoginRequired, Detail: "This sign-in took too long or has ended. Sign in again."}

// HalfOf reads a half sign-in. One that is gone, expired, or of another host is CodeLoginRequired.
func (a *Accounts) HalfOf(ctx context.Context, key HalfKey, host string) (Half, error) {
	p, user, f, err := a.readHalf(ctx, key, host)
	if err != nil {
		return Half{}, err
	}
	return a.half(p, user.User, f), nil
}

// readHalf reads a half sign-in with its person and their factors.
func (a *Accounts) readHalf(ctx context.Context, key HalfKey, host string) (store.PendingSignIn, store.UserRecord, store.Factors, error) {
	var f store.Factors
	now := a.Now()
	p, err := a.Store.Pending(ctx, key, now)
	if err == nil && p.Host != host {
		err = store.ErrNotFound
	}
	if err != nil {
		return p, store.UserRecord{}, f, halfGone(err)
	}
	user, err := a.Store.UserByID(ctx, p.UserID)
	if err == nil && user.Disabled {
		err = store.ErrNotFound
	}
	if err != nil {
		return p, user, f, halfGone(err)
	}
	f, err = a.Store.Factors(ctx, user.ID, host, now)
	if err == nil && !f.Any() && !a.mustHave(user.User, f) { // the configuration has changed meanwhile
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

func (a *Accounts) half(p store.PendingSignIn, user identity.User, f store.Factors) Half {
	h := Half{User: user, Remember: p.Remember, Tries: max(0, HalfTries-p.Tries), Expires: p.Expires}
	if f.Any() {
		h.Methods = secondSteps(f)
	} else {
		h.Enrol = a.enrolable(p.Host)
	}
	return h
}

// StartOver ends a half sign-in. None is no error.
func (a *Accounts) StartOver(ctx context.Context, key HalfKey) error {
	_, err := a.Store.EndPending(ctx, key)
	return store.Unavailable(err)
}

// errNoFlow answers a browser without a flow cookie: its half sign-in could be continued in any other browser (MF-09).
var errNoFlow = &identity.Error{Code: identity.CodeInvalidRequest, Detail: "Open the sign-in page again. Cookies have to be allowed for it."}

// beginHalf keeps that the password was right: no session starts before the second step (R6, MF-08).
func (a *Accounts) beginHalf(ctx context.Context, tx *change.Tx, in SignIn, user identity.User, f store.Factors, device *store.Device) (SignedIn, error) {
	now := a.Now()
	key, token := BrowserHalf(in.Flow), ""
	switch {
	case in.Kind == session.API:
		var hash [32]byte
		token, hash = secret.NewSessionSecret()
		key = hash
	case in.Flow == "":
		return SignedIn{}, errNoFlow
	}
	p := store.PendingSignIn{Key: key, UserID: user.ID, Kind: in.Kind, Host: in.By.Host, AMR: []string{identity.AMRPassword}, Remember: in.Remember,
		Created: now, Expires: now.Add(HalfLife)}
	if device != nil {
		p.Device = device.ID.String()
	}
	if err := tx.PutPending(ctx, p); err != nil {
		return SignedIn{}, err
	}
	half := a.half(p, user, f)
	e := in.By.UserEvent(audit.AuthnMFARequired, user)
	e.Details = map[string]string{"kind": in.Kind}
	if len(half.Enrol) > 0 {
		e.Reason = "enrolment"
	}
	tx.Record(e)
	return SignedIn{User: user, Half: &half, MFAToken: token}, nil
}
