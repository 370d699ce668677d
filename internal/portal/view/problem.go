package view

import (
	"html/template"
	"strings"
)

// Problem is something to correct: it is shown in the summary on top and at its field, in the same words.
type Problem struct {
	// Field is the name of the field it belongs to (FieldUsername …); "" for the whole form.
	Field string
	// Key is a key of the catalogue, "problem.current_wrong" for example. Empty or unknown: Text is shown.
	Key string
	// N is the number in the key's words, where they have {n}: minutes of "problem.clock_slow".
	N int
	// Text is plain English from another room (identity.Error.Detail); it is translated where the catalogue knows it.
	Text string
}

// The names of the forms' fields. A field's id is its name.
const (
	FieldUsername   = "username"
	FieldPassword   = "password"
	FieldRemember   = "remember" // "on" when ticked
	FieldReturn     = "return"   // opaque id of the way back
	FieldFragment   = "fragment" // what followed # in the address, opaque
	FieldToken      = "token"    // setup code
	FieldEmail      = "email"
	FieldName       = "name"
	FieldCurrent    = "current_password"
	FieldNew        = "new_password"
	FieldSignOut    = "sign_out_others" // "on" when ticked
	FieldRevoke     = "revoke"          // a session's id, or RevokeOthers
	RevokeOthers    = "others"
	FieldCode       = "code"    // one-time or recovery code, spaces and dashes as typed
	FieldMethod     = "method"  // MethodTOTP …
	FieldPasskey    = "passkey" // JSON of the browser's answer
	FieldTrust      = "trust"   // "on" when ticked
	FieldURL        = "url"     // Policies: the address that is asked about
	FieldUser       = "user"    // Policies: on whose behalf
	FieldZone       = "zone"    // name of a time zone
	FieldSaved      = "saved"   // "on" when ticked: recovery codes are kept
	FieldID         = "id"      // of a passkey
	FieldAction     = "action"  // ActionRemove …
	maxFragmentSize = 2048
)

// The values of FieldAction.
const (
	ActionStartOver = "start_over" // MFA, Enrol: end the half sign-in
	ActionEnrol     = "enrol"      // MFA: a code of the factor that is being set up
	ActionRemove    = "remove"     // TOTP, Passkeys
	ActionReplace   = "replace"    // TOTP: set up another app; the old one works until the new one is confirmed
	ActionRename    = "rename"     // Passkeys
	ActionNew       = "new"        // RecoveryCodes: a new set
	ActionDownload  = "download"   // RecoveryCodes: as a text file
	ActionFinish    = "finish"     // RecoveryCodes: they are saved
	ActionExport    = "export"     // Profile: one's own data as a file
	ActionZone      = "zone"       // Profile: FieldZone is what times are shown in
	ActionDefault   = "default"    // Account: FieldMethod is asked for first
)

// describe returns a field's aria attributes: its hint, if it has one, and its problems.
func describe(problems []Problem, field string, hints ...string) template.HTMLAttr {
	ids, invalid := hints, ""
	for _, p := range problems {
		if p.Field == field {
			ids = append([]string{field + "-error"}, hints...)
			invalid = ` aria-invalid="true"`
			break
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return template.HTMLAttr(`aria-describedby="` + strings.Join(ids, " ") + `"` + invalid) // #nosec: ids are ours
}

// fault is the text at a field: the words of its problems. Its id is what describe points to.
func (l *locale) fault(problems []Problem, field string) (template.HTML, error) {
	var words template.HTML
	for _, p := range problems {
		if p.Field != field {
			continue
		}
		w, err := l.problem(p)
		if err != nil {
			return "", err
		}
		if words != "" {
			words += " "
		}
		words += w
	}
	if words == "" {
		return "", nil
	}
	mark, err := icon("alert")
	// #nosec: field is a constant
	return `<p class="fault" id="` + template.HTML(field) + `-error">` + mark + `<span>` + words + `</span></p>`, err
}

// problem words a problem.
func (l *locale) problem(p Problem) (template.HTML, error) {
	if _, ok := l.texts[p.Key]; ok {
		return l.html(p.Key, "n", p.N)
	}
	return l.foreign(p.Text), nil
}
