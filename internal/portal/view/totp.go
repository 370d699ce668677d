package view

import (
	"html/template"
	"strings"
	"time"
)

// TOTP is the page of the authenticator app. Without one (Added is zero) it is the set-up: it posts FieldCode to
// {base}/account/totp, or with Forced FieldAction = ActionEnrol, FieldMethod = MethodTOTP, FieldCode and FieldReturn to
// {base}/mfa. With one it shows since when, and posts FieldAction = ActionRemove or ActionReplace to
// {base}/account/totp. Reload and Back show the same pending key.
type TOTP struct {
	Viewer Viewer // with Forced: whose sign-in it is
	Added  time.Time
	Used   time.Time // last accepted code; zero: never
	// Key is the pending secret in base32 without spaces and padding; shown in groups of four.
	Key string
	// URI is the otpauth://totp/ address of the same key, a link for a phone that cannot scan itself.
	URI string
	// QR is the code's modules by row, true is dark, without a quiet zone (it is added). Empty: no picture.
	QR       [][]bool
	Problems []Problem
	Wait     Wait
	// Remove asks before removing: shown by GET {base}/account/totp?remove=1.
	Remove bool
	// Removed says that it is done.
	Removed bool
	// Required: the rules want a second factor and this is the only one, so it cannot be removed.
	Required bool
	// Forced is the set-up within a sign-in (R6): a card of its own, without the account's navigation.
	Forced           bool
	Return, Fragment string
}

func (p TOTP) meta() meta {
	m := meta{name: "totp", title: "totp.title", failed: len(p.Problems) > 0 || p.Wait.For > 0, wide: true,
		viewer: p.Viewer, tab: "account", retry: p.Wait.For}
	if p.Forced {
		m.wide, m.viewer = false, Viewer{}
	}
	return m
}

// Grouped is the key as it is read and typed, in groups of four; apps and we ignore the spaces.
func (p TOTP) Grouped() string {
	var b strings.Builder
	n := 0
	for _, c := range p.Key {
		if c == ' ' {
			continue
		}
		if n > 0 && n%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
		n++
	}
	return b.String()
}

// Open is the link to the authenticator app; "" for anything that is not an otpauth address.
func (p TOTP) Open() template.URL {
	if !strings.HasPrefix(p.URI, "otpauth://totp/") {
		return ""
	}
	return template.URL(escapeURL(p.URI)) // #nosec: a fixed scheme, percent-encoded
}
