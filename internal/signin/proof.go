package signin

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// verifiedFactor is a factor whose proof was verified. It is consumed in the transaction of what it leads to, so that
// of racing uses one wins, on all nodes (R5).
type verifiedFactor struct {
	method string
	amr    []string // what it adds
	use    func(ctx context.Context, tx *change.Tx) error
}

// Errors of codes, in the words of the pages (UX section 3). Locked is answered like wrong (R12).
var (
	errWrongCode = identity.InvalidCode("That code didn't match.")
	errUsedCode  = identity.InvalidCode("That code was already used. Wait for the next one.")
)

// typedCode drops what users paste along with a code. Anything else but six ASCII digits is refused (MF-04).
func typedCode(s string) string {
	if len(s) > 32 {
		return ""
	}
	return strings.NewReplacer(" ", "", "-", "").Replace(s)
}

// wrongCode reports whether err refuses a code, as opposed to a failure to check it.
func wrongCode(err error) bool { return errors.Is(err, errWrongCode) || errors.Is(err, errUsedCode) }

// proven adds factors that were verified now to the proof of a session (MF-21).
func proven(p store.Proof, now time.Time, methods ...string) store.Proof {
	p.AuthTime, p.MFATime, p.ACR = now, now, max(p.ACR, identity.ACRMFA)
	for _, m := range methods {
		if m == identity.AMRUser { // a passkey that verified its user
			p.PasskeyTime, p.ACR = now, identity.ACRPasskey
		}
	}
	p.AMR = identity.AddAMR(identity.AddAMR(p.AMR, methods...), identity.AMRMFA)
	return p
}

// renewed returns the proof of a session whose user has proven the password again. The second factor keeps its time.
func renewed(s store.Session, now time.Time) store.Proof {
	p := s.Proof()
	p.AuthTime, p.AMR = now, identity.AddAMR(p.AMR, identity.AMRPassword)
	return p
}
