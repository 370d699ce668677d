package view

import (
	"encoding/json"
	"time"
)

// Passkeys lists a person's passkeys. Adding needs JavaScript: the module posts {} to BeginURL, hands the options to
// the browser, posts its toJSON() to FinishURL and goes to {base}/account/passkeys?added=ID, ID from the answer's "id".
// An answer with code step_up_required or reauth_required leads to ConfirmURL. Rename and remove are forms to
// {base}/account/passkeys: FieldAction = ActionRename or ActionRemove, FieldID, FieldName.
type Passkeys struct {
	Viewer   Viewer
	Passkeys []Passkey
	// Host is where these passkeys work; named on the page.
	Host string
	// Elsewhere is where passkeys work when they do not here (plain http, an IP address): "https://auth.example.com".
	Elsewhere string
	PasskeyChange
	Problems []Problem
	// RecoveryLeft is how many recovery codes there are, for the warning at a single passkey.
	RecoveryLeft int
	// Signal lists for the browser which passkeys still exist.
	Signal PasskeySignal
	// Forced is adding within a sign-in (R6): a card of its own; afterwards the module goes to {base}/mfa?r=RETURN.
	Forced bool
	Return string
	// BeginURL, FinishURL and ConfirmURL: empty means {base}/api/v1/mfa/passkeys/begin, …/finish and {base}/confirm.
	BeginURL, FinishURL, ConfirmURL string
}

// PasskeyChange is what is being changed, or was changed just now.
type PasskeyChange struct {
	// Rename and Remove are the id of the passkey that is asked about: GET ?rename=ID and ?remove=ID.
	Rename, Remove string
	// Added is the id of the one just made: it is praised, and its name can be changed at once.
	Added            string
	Renamed, Removed bool
}

// Passkey is one of them.
type Passkey struct {
	ID       string
	Name     string
	Added    time.Time
	LastUsed time.Time // zero: never
	Synced   bool      // the backup flag: it is on more than one device
	// Suspect: its counter went back, so it may have been copied (WebAuthn 6.1.1).
	Suspect bool
}

// PasskeySignal is for the browser's signal methods. The zero value sends nothing.
type PasskeySignal struct {
	RPID   string   `json:"rpId"`
	UserID string   `json:"userId"` // base64url
	IDs    []string `json:"allAcceptedCredentialIds"`
	// Unknown is a credential id that the browser offered and no user has, for the login page.
	Unknown string `json:"credentialId,omitempty"`
}

func (p Passkeys) meta() meta {
	m := meta{name: "passkeys", title: "passkeys.title", failed: len(p.Problems) > 0, wide: true, viewer: p.Viewer,
		tab: "account"}
	if p.Forced {
		m.wide, m.viewer = false, Viewer{}
	}
	return m
}

// Asked is the passkey that Rename or Remove names, nil for none.
func (p Passkeys) Asked() *Passkey {
	for i := range p.Passkeys {
		if id := p.Passkeys[i].ID; id != "" && (id == p.Rename || id == p.Remove) {
			return &p.Passkeys[i]
		}
	}
	return nil
}

// Lonely warns of a single passkey with nothing beside it.
func (p Passkeys) Lonely() bool { return len(p.Passkeys) == 1 && p.RecoveryLeft == 0 }

// Anything reports whether there is something to say.
func (s PasskeySignal) Anything() bool { return s.RPID != "" && (s.UserID != "" || s.Unknown != "") }

// JSON is what the module reads.
func (s PasskeySignal) JSON() (string, error) {
	if s.IDs == nil {
		s.IDs = []string{}
	}
	raw, err := json.Marshal(s)
	return string(raw), err
}
