package problem

import (
	"strconv"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Challenges of the Bearer scheme (RFC 6750 section 3) for the WWW-Authenticate field of a 401.
const (
	Bearer             = "Bearer"
	BearerInvalidToken = `Bearer error="invalid_token"`
)

// StepUpChallenge returns the WWW-Authenticate field that asks for a stronger or newer sign-in (RFC 9470 section 3).
func StepUpChallenge(ask identity.Assurance) string {
	text := `Bearer error="insufficient_user_authentication", acr_values="` + ask.ACRValues() + `"`
	if ask.MaxAge > 0 {
		text += `, max_age="` + strconv.Itoa(int(ask.MaxAge/time.Second)) + `"`
	}
	return text
}

// Ask says in the problem's members what a step-up needs, as StepUpChallenge does in the header.
func (p *Problem) Ask(ask identity.Assurance) {
	p.ACRValues, p.MaxAge = ask.ACRValues(), int(ask.MaxAge/time.Second)
}
