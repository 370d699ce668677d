package signin

import (
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

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
