package web

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// ConfirmAction is an action on our own pages that asks for a fresh factor. Its name travels in the URL of the page
// that asks; it decides words and ways, and nothing else is ever taken from there.
type ConfirmAction struct {
	Words  string // key of the catalogue
	Back   string // the page that asked
	Cancel string // where "Cancel" leads; "": Back
}

// The names of actions, as in {base}/confirm?for=NAME.
const (
	ForEndSessions   = "end_sessions"
	ForPassword      = "password"
	ForAddTOTP       = "add_totp"
	ForReplaceTOTP   = "replace_totp"
	ForRemoveTOTP    = "remove_totp"
	ForAddPasskey    = "add_passkey"
	ForChangePasskey = "change_passkey"
	ForRemovePasskey = "remove_passkey"
	ForRecoveryCodes = "recovery_codes"
	ForDevices       = "trusted"
	ForProfile       = "profile"
	ForMethod        = "default_method"
	ForExport        = "export"
)

// ConfirmActions are the actions by name; "" is a plain confirmation.
var ConfirmActions = map[string]ConfirmAction{
	ForEndSessions:   {"confirm.end_sessions", "/account/sessions", ""},
	ForPassword:      {"confirm.password", "/account/password", "/account"},
	ForAddTOTP:       {"confirm.add_totp", "/account/totp", "/account"},
	ForReplaceTOTP:   {"confirm.add_totp", "/account/totp?replace=1", "/account/totp"},
	ForRemoveTOTP:    {"confirm.remove_totp", "/account/totp?remove=1", "/account/totp"},
	ForAddPasskey:    {"confirm.add_passkey", "/account/passkeys", ""},
	ForChangePasskey: {"confirm.change_passkey", "/account/passkeys", ""},
	ForRemovePasskey: {"confirm.remove_passkey", "/account/passkeys", ""},
	ForRecoveryCodes: {"confirm.recovery_codes", "/account/recovery-codes?new=1", "/account/recovery-codes"},
	ForDevices:       {"confirm.trusted", "/account/devices", ""},
	ForProfile:       {"confirm.profile", "/account/profile", ""},
	ForMethod:        {"confirm.continue", "/account", ""},
	ForExport:        {"confirm.export", "/account/profile", ""},
	"":               {"confirm.continue", "/account", ""},
}

// StepUp reports whether an error asks for a fresh factor, and which.
func StepUp(err error) (identity.Assurance, bool) {
	known, ok := KnownError(err)
	if !ok || known.Code != identity.CodeStepUpRequired && known.Code != identity.CodeReauthRequired {
		return identity.Assurance{}, false
	}
	return known.Ask, true
}

// AskFirst redirects to the confirmation of an action when err asks for one; it returns any other error.
func (c *Call) AskFirst(err error, action string) error {
	if _, due := StepUp(err); due {
		c.Redirect(http.StatusSeeOther, c.Base+"/confirm?for="+action)
		return nil
	}
	return err
}
