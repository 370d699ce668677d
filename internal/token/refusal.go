package token

import (
	"errors"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Refusal is why an access token was refused: for the log and for `explain`, never for the client. It names a part of
// the token and no value of it.
type Refusal struct {
	Why    string
	Issuer string // one that is configured; "" when the token names none of them
}

func (r *Refusal) Error() string {
	if r.Issuer == "" {
		return "access token: " + r.Why
	}
	return "access token of " + r.Issuer + ": " + r.Why
}

// RefusalOf returns the refusal inside an error; or nil.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}

// bad is every refusal.
func bad(why string) error {
	return identity.InvalidToken(&Refusal{Why: why})
}
