package problem

import (
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// RFC 9470 section 3: the least acr that will do, and the age only where there is one.
func TestChallengeSaysWhatWillDo(t *testing.T) {
	for want, ask := range map[string]identity.Assurance{
		`acr_values="2"`:                  {MFA: true},
		`acr_values="2", max_age="600"`:   {MFA: true, MaxAge: 10 * time.Minute},
		`acr_values="3"`:                  {Passkey: true},
		`acr_values="3", max_age="1"`:     {MFA: true, Passkey: true, MaxAge: time.Second},
		`acr_values="1", max_age="300"`:   {MaxAge: 5 * time.Minute},
		`acr_values="1", max_age="86400"`: {MaxAge: 24 * time.Hour},
	} {
		if got := StepUpChallenge(ask); got != `Bearer error="insufficient_user_authentication", `+want {
			t.Errorf("%+v: %s", ask, got)
		}
	}
}
