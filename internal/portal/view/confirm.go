package view

import "time"

// Confirm asks for a factor again before something sensitive (step-up). It posts FieldMethod, FieldPassword or
// FieldCode or FieldPasskey, and FieldReturn to {base}/confirm; another method is a GET of {base}/confirm?method=NAME
// with the query of Here. Status: 200, 422 or 401 with Problems, 429 with Wait.
type Confirm struct {
	Viewer Viewer
	// Action is a key of the catalogue that ends "Confirm it's you to …": "confirm.open" (with Host),
	// "confirm.end_sessions", "confirm.add_totp", "confirm.remove_totp", "confirm.add_passkey", "confirm.change_passkey",
	// "confirm.remove_passkey", "confirm.recovery_codes", "confirm.trusted", "confirm.profile", "confirm.password",
	// "confirm.export". Empty or unknown: "confirm.continue".
	Action string
	Host   string
	// Method is the one that is shown, Methods all that meet the rule, best first. Both empty: the password.
	Method  string
	Methods []string
	// Missing is a factor that the rule asks for and this person does not have (MethodPasskey or MethodTOTP): the page
	// leads to its set-up and has no form. "elsewhere": what they have works on other hosts only.
	Missing string
	// Minutes is how long it will not be asked again; 0 says nothing.
	Minutes   int
	Problems  []Problem
	TriesLeft int // as in Login
	Pause     time.Duration
	Wait      Wait
	Return    string
	// Cancel is where "Cancel" leads; empty: the account page.
	Cancel string
	// PasskeyBegin is where the module asks for options, as in MFA.
	PasskeyBegin string
}

func (p Confirm) meta() meta {
	return meta{name: "confirm", title: "confirm.title", failed: len(p.Problems) > 0 || p.Wait.For > 0, viewer: p.Viewer,
		retry: p.Wait.For}
}

// What is the key of the action, one that exists.
func (p Confirm) What() string {
	if _, ok := english[p.Action]; ok {
		return p.Action
	}
	return "confirm.continue"
}

// Shown is the method of the form.
func (p Confirm) Shown() string {
	if len(p.Methods) == 0 {
		return MethodPassword
	}
	return shown(p.Method, p.Methods)
}

// Others are further ways.
func (p Confirm) Others() []string { return others(p.Shown(), p.Methods) }

// StepUp answers the POST of an app that asks for a factor again, in place, so that a reload sends the same body again
// (UX section 1.2). Status 401.
type StepUp struct {
	Viewer Viewer
	Host   string
	// ConfirmURL opens in a second tab; it ends with SignedInGoBack{Confirmed: true}.
	ConfirmURL string
	// Resubmit offers "Submit again": only for a form of the same site. A cross-site one could be forged.
	Resubmit  bool
	Reference string
}

func (p StepUp) meta() meta {
	return meta{name: "stepup", title: "stepup.title", failed: true, viewer: p.Viewer}
}
