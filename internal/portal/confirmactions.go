package portal

import "github.com/truxeio/caddy-truxe/internal/identity"

// confirmAction is something on our own pages that asks for a fresh factor. Its name travels in the URL of the page that
// asks; it decides words and ways, and nothing else is ever taken from there.
type confirmAction struct {
	words  string // key of the catalogue
	back   string // the page that asked
	cancel string // where "Cancel" leads; "": back
}

// The names of actions, as in {base}/confirm?for=NAME.
const (
	forEndSessions   = "end_sessions"
	forPassword      = "password"
	forAddTOTP       = "add_totp"
	forReplaceTOTP   = "replace_totp"
	forRemoveTOTP    = "remove_totp"
	forAddPasskey    = "add_passkey"
	forChangePasskey = "change_passkey"
	forRemovePasskey = "remove_passkey"
	forRecoveryCodes = "recovery_codes"
	forDevices       = "trusted"
	forProfile       = "profile"
	forMethod        = "default_method"
	forExport        = "export"
)

var confirmActions = map[string]confirmAction{
	forEndSessions:   {"confirm.end_sessions", "/account/sessions", ""},
	forPassword:      {"confirm.password", "/account/password", "/account"},
	forAddTOTP:       {"confirm.add_totp", "/account/totp", "/account"},
	forReplaceTOTP:   {"confirm.add_totp", "/account/totp?replace=1", "/account/totp"},
	forRemoveTOTP:    {"confirm.remove_totp", "/account/totp?remove=1", "/account/totp"},
	forAddPasskey:    {"confirm.add_passkey", "/account/passkeys", ""},
	forChangePasskey: {"confirm.change_passkey", "/account/passkeys", ""},
	forRemovePasskey: {"confirm.remove_passkey", "/account/passkeys", ""},
	forRecoveryCodes: {"confirm.recovery_codes", "/account/recovery-codes?new=1", "/account/recovery-codes"},
	forDevices:       {"confirm.trusted", "/account/devices", ""},
	forProfile:       {"confirm.profile", "/account/profile", ""},
	forMethod:        {"confirm.continue", "/account", ""},
	forExport:        {"confirm.export", "/account/profile", ""},
	"":               {"confirm.continue", "/account", ""},
}

// stepUp tells whether an error asks for a fresh factor, and which.
func stepUp(err error) (identity.Assurance, bool) {
	known, ok := asError(err)
	if !ok || known.Code != identity.CodeStepUpRequired && known.Code != identity.CodeReauthRequired {
		return identity.Assurance{}, false
	}
	return known.Ask, true
}
