package view

import (
	"slices"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// The ways to prove who one is, as FieldMethod names them: in the forms of MFA and Confirm, in ?method=, and in
// Methods.
const (
	MethodPassword = identity.MethodPassword // Confirm only
	MethodTOTP     = identity.MethodTOTP
	MethodPasskey  = identity.MethodPasskey
	MethodRecovery = identity.MethodRecovery
)

// MFA is the second step of a sign-in. It posts FieldMethod, FieldCode or FieldPasskey, FieldTrust, FieldReturn and
// FieldFragment to {base}/mfa; "Start over" posts FieldAction = ActionStartOver there. Another method is a GET of
// {base}/mfa?method=NAME. Status: 200, 401 with Problems, 429 with Wait.
type MFA struct {
	Account Viewer // whose sign-in it is; not signed in yet
	Destination
	Method string // the one that is shown; empty or not in Methods: the first of Methods
	// Methods is what this person has, best first. MethodRecovery stands last and is offered as "Lost your device?".
	Methods  []string
	Problems []Problem
	Attempts
	// TrustDays is how long "Don't ask again on this device" holds; 0 hides the box.
	TrustDays int
	Trust     bool // ticked
	WayBack
	// PasskeyBegin is where the module posts {} for the options of a passkey: {"publicKey":{…}} or the options alone.
	// Empty: {base}/api/v1/login/passkey/begin. The answer of the browser comes back as JSON in FieldPasskey.
	PasskeyBegin string
	// Here is the address for a tab that finds the sign-in finished elsewhere, as in Login.
	Here string
}

func (p MFA) meta() meta {
	return meta{name: "mfa", title: "mfa.title", failed: len(p.Problems) > 0 || p.Wait.For > 0, retry: p.Wait.For}
}

// Shown is the method of the form.
func (p MFA) Shown() string { return shown(p.Method, p.Methods) }

// Others are further ways, the recovery code not among them.
func (p MFA) Others() []string { return others(p.Shown(), p.Methods) }

// Recovery reports whether a recovery code can be offered.
func (p MFA) Recovery() bool {
	return p.Shown() != MethodRecovery && slices.Contains(p.Methods, MethodRecovery)
}

// shown is the chosen method if it is offered, else the first known one.
func shown(chosen string, offered []string) string {
	first := ""
	for _, m := range offered {
		if !knownMethod(m) {
			continue
		}
		if m == chosen {
			return m
		}
		if first == "" {
			first = m
		}
	}
	if first == "" {
		return MethodTOTP
	}
	return first
}

func others(shown string, offered []string) []string {
	var list []string
	for _, m := range offered {
		if m != shown && m != MethodRecovery && knownMethod(m) {
			list = append(list, m)
		}
	}
	return list
}

func knownMethod(m string) bool {
	switch m {
	case MethodPassword, MethodTOTP, MethodPasskey, MethodRecovery:
		return true
	}
	return false
}

// Enrol asks a user who must have a second factor and has none to choose one (R6): the sign-in goes on with it. The
// choices are GETs of {base}/mfa?enrol=totp and ?enrol=passkey, which show TOTP and Passkeys with Forced. "Start over"
// is that of MFA.
type Enrol struct {
	Account Viewer
	Destination
	// Methods are the factors that may be set up here: MethodTOTP, MethodPasskey.
	Methods []string
	Return  string
}

func (p Enrol) meta() meta { return meta{name: "enrol", title: "enrol.title"} }

// Choices are the methods that have a page.
func (p Enrol) Choices() []string { return others("", p.Methods) }

// RecoveryUsed follows a sign-in with a recovery code, before the way goes on: how many are left.
type RecoveryUsed struct {
	Viewer   Viewer
	Left     int
	Continue string // where the way goes on: a path or URL; empty: the apps
	Destination
}

func (p RecoveryUsed) meta() meta {
	return meta{name: "recoveryused", title: "recoveryused.title", viewer: p.Viewer}
}

// Few reports whether it is time for new codes.
func (p RecoveryUsed) Few() bool { return p.Left <= fewCodes }
