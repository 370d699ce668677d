// Package secondfactor checks the codes that users type as a second factor: those of authenticator apps and recovery
// codes. A factor that is verified is consumed only in the transaction of what it leads to (R5).
package secondfactor

import (
	"context"
	"errors"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Verified is a factor whose proof was verified. It is consumed in the transaction of what it leads to, so that
// of racing uses one wins, on all nodes (R5).
type Verified struct {
	Method string
	AMR    []string // what it adds
	// Use consumes the proof; nil: there is nothing to consume.
	Use func(ctx context.Context, tx *change.Tx) error
}

// Errors of codes, in the words of the pages (UX section 3). Locked is answered like wrong (R12).
var (
	ErrWrong = identity.InvalidCode("That code didn't match.")
	ErrUsed  = identity.InvalidCode("That code was already used. Wait for the next one.")
)

// Typed drops what users paste along with a code. Anything else but six ASCII digits is refused (MF-04).
func Typed(s string) string {
	if len(s) > 32 {
		return ""
	}
	return strings.NewReplacer(" ", "", "-", "").Replace(s)
}

// Refused reports whether err refuses a code, as opposed to a failure to check it.
func Refused(err error) bool { return errors.Is(err, ErrWrong) || errors.Is(err, ErrUsed) }
