package identity

import (
	"slices"
	"time"
)

// Assurance is what a page or a change asks of the way a user has signed in. The zero value asks nothing.
type Assurance struct {
	MFA     bool          // a second factor, or a passkey that verified its user
	Passkey bool          // a passkey
	MaxAge  time.Duration // > 0: proven no longer ago; without MFA and Passkey any sign-in or confirmation counts
}

// acr values of sessions and tokens: one factor, two factors, a passkey. `acr_values` of a step-up (RFC 9470) names
// them.
const (
	ACRPassword = "1"
	ACRMFA      = "2"
	ACRPasskey  = "3"
)

// Proof is how and when a user proved who they are.
type Proof struct {
	AMR      []string
	ACR      string
	AuthTime time.Time
	// MFATime and PasskeyTime say when a second factor and a passkey were proven last; zero: never.
	MFATime, PasskeyTime time.Time
}

// skew is how far a time of proof may lie ahead of this node's clock.
const skew = time.Minute

// Unmet returns what is missing: CodePasskeyRequired, CodeMFARequired, or CodeReauthRequired when it was proven too
// long ago; "" when p satisfies a. No principal (nil) satisfies the zero value only.
func (a Assurance) Unmet(p *Principal, now time.Time) Code {
	if a == (Assurance{}) {
		return ""
	}
	if p == nil {
		return CodeLoginRequired
	}
	proven := p.AuthTime
	if a.MFA {
		if proven = p.MFATime; proven.IsZero() {
			return CodeMFARequired
		}
	}
	if a.Passkey {
		if proven = p.PasskeyTime; proven.IsZero() {
			return CodePasskeyRequired
		}
	}
	if a.MaxAge <= 0 {
		return ""
	}
	if age := now.Sub(proven); proven.IsZero() || age > a.MaxAge || age < -skew {
		return CodeReauthRequired
	}
	return ""
}

// ACRValues names the least acr that satisfies a.
func (a Assurance) ACRValues() string {
	switch {
	case a.Passkey:
		return ACRPasskey
	case a.MFA:
		return ACRMFA
	}
	return ACRPassword
}

// Authentication methods (RFC 8176), with one of ours for what it has no name for.
const (
	AMRPassword = "pwd"
	AMROTP      = "otp"
	AMRRecovery = "recovery" // ours
	AMRHardware = "hwk"      // a passkey that cannot leave its device
	AMRSoftware = "swk"      // a passkey that is or may be synced
	AMRUser     = "user"     // the authenticator verified its user
	AMRMFA      = "mfa"
)

// AddAMR adds methods that were proven, each once, in the order of their proof.
func AddAMR(list []string, methods ...string) []string {
	out := slices.Clone(list)
	for _, m := range methods {
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}
