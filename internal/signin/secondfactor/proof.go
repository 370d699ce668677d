package secondfactor

import (
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Proven adds factors that were verified now to the proof of a session (MF-21).
func Proven(p identity.Proof, now time.Time, methods ...string) identity.Proof {
	p.AuthTime, p.MFATime, p.ACR = now, now, max(p.ACR, identity.ACRMFA)
	for _, m := range methods {
		if m == identity.AMRUser { // a passkey that verified its user
			p.PasskeyTime, p.ACR = now, identity.ACRPasskey
		}
	}
	p.AMR = identity.AddAMR(identity.AddAMR(p.AMR, methods...), identity.AMRMFA)
	return p
}
