package view

import "time"

// fewCodes is when new recovery codes are offered.
const fewCodes = 3

// RecoveryCodes shows new codes once, or how many are left. It posts FieldAction to {base}/account/recovery-codes:
// ActionNew makes a new set, ActionDownload answers with RecoveryFile, ActionFinish with FieldSaved = "on" ends the
// showing. FieldReturn goes along, so that a forced enrolment finds its way on.
type RecoveryCodes struct {
	Viewer Viewer
	// Codes is the new set, "XXXXX-XXXXX" each, as long as it may be shown; empty: the later visits.
	Codes []string
	Made  time.Time // of this set; zero: there is none
	Left  int       // unused ones
	// Host is the site the codes are for, in the file.
	Host     string
	Problems []Problem // FieldSaved: the box is not ticked
	// Ask asks before a new set: shown by GET {base}/account/recovery-codes?new=1.
	Ask bool
	// Forced: shown within a sign-in, as a card of its own.
	Forced           bool
	Return, Fragment string
	// NoFactor: there is no second factor yet, so codes have no use; the page leads to the factors.
	NoFactor bool
}

func (p RecoveryCodes) meta() meta {
	m := meta{name: "recovery", title: "recovery.title", failed: len(p.Problems) > 0, wide: true, viewer: p.Viewer,
		tab: "account"}
	if p.Forced {
		m.wide, m.viewer = false, Viewer{}
	}
	return m
}

// Few reports whether it is time for new codes.
func (p RecoveryCodes) Few() bool { return p.Left <= fewCodes }
