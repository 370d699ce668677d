package view

import (
	"strings"
	"time"
)

// Account is the person's own page: a checklist and links. The method that is asked for first is chosen here: it posts
// FieldAction = ActionDefault and FieldMethod to {base}/account.
type Account struct {
	Viewer          Viewer
	Email           string
	Roles           []string
	PasswordChanged time.Time // zero: not known
	LastSignIn      time.Time
	Sessions        int // live ones, this one included
	// Managed: a users_file owns the account, so it is changed there.
	Managed bool
	// Factors is what the person has beside the password; nil leaves that part out.
	Factors *Factors
	// Recent are the last events, newest first; a few. Empty: the part is left out.
	Recent []Event
	// Saved says that the preference is stored.
	Saved bool
}

// Factors are a person's second factors, for the checklist.
type Factors struct {
	TOTP           time.Time // since when; zero: none
	Passkeys       int
	RecoveryLeft   int
	RecoveryMade   time.Time // zero: no codes
	TrustedDevices int
	Required       bool   // the rules want a second factor
	Default        string // the method asked for first; "": the best one
}

// Any reports whether there is a second factor.
func (f Factors) Any() bool { return !f.TOTP.IsZero() || f.Passkeys > 0 }

// Both reports whether there is a choice of methods.
func (f Factors) Both() bool { return !f.TOTP.IsZero() && f.Passkeys > 0 }

// FewCodes reports whether it is time for new recovery codes.
func (f Factors) FewCodes() bool { return f.Any() && f.RecoveryLeft <= fewCodes }

func (p Account) meta() meta {
	return meta{name: "account", title: "account.title", wide: true, viewer: p.Viewer, tab: "account"}
}

// RoleList is the roles in one line.
func (p Account) RoleList() string { return strings.Join(p.Roles, ", ") }

// Sessions lists where the person is signed in. Ending one posts FieldRevoke (an id, or RevokeOthers) to
// {base}/account/sessions.
type Sessions struct {
	Viewer   Viewer
	Sessions []Session // any order; this device is shown first
	// Ended > 0 says how many sessions were ended just now.
	Ended int
}

// Session is one sign-in.
type Session struct {
	ID        string
	UserAgent string // as the browser sent it; shown as browser and system
	Address   string
	Host      string // the host it is for; may be empty
	SignedIn  time.Time
	LastSeen  time.Time
	Methods   []string // amr: "pwd", "otp", "hwk" …
	Current   bool
}

func (p Sessions) meta() meta {
	return meta{name: "sessions", title: "sessions.title", wide: true, viewer: p.Viewer, tab: "sessions"}
}

// Sorted has this device first and keeps the order of the others.
func (p Sessions) Sorted() []Session {
	var sorted []Session
	for _, current := range []bool{true, false} {
		for _, s := range p.Sessions {
			if s.Current == current {
				sorted = append(sorted, s)
			}
		}
	}
	return sorted
}

// Others counts the sessions that are not this one.
func (p Sessions) Others() int {
	n := 0
	for _, s := range p.Sessions {
		if !s.Current {
			n++
		}
	}
	return n
}

// PasswordChange changes one's own password. It posts FieldUsername (hidden, for password managers), FieldCurrent,
// FieldNew and FieldSignOut to {base}/account/password.
type PasswordChange struct {
	Viewer    Viewer
	Problems  []Problem
	MinLength int // 0 means 15
	// KeepOthers unticks "Sign out everywhere else", which is ticked otherwise.
	KeepOthers bool
	Changed    bool // say that it is done
	Wait       Wait
}

func (p PasswordChange) meta() meta {
	return meta{name: "password", title: "password.title", failed: len(p.Problems) > 0 || p.Wait.For > 0, wide: true,
		viewer: p.Viewer,
		tab:    "account", retry: p.Wait.For}
}

// Length is the shortest password that is taken.
func (p PasswordChange) Length() int { return length(p.MinLength) }

// Launcher is {base}/: the apps this person may open.
type Launcher struct {
	Viewer Viewer
	Apps   []App
	// FlowGone: a sign-in ended here because its way back was not known any more.
	FlowGone bool
}

// App is one protected app.
type App struct {
	Name        string // empty: Host
	Host        string
	URL         string // http or https; anything else is shown without a link
	Description string
	Icon        string // a path on this origin; empty: a tile with the first letter
	StepUp      bool   // asks for more than the present sign-in
}

func (p Launcher) meta() meta {
	return meta{name: "launcher", title: "launcher.title", wide: true, viewer: p.Viewer, tab: "launcher"}
}

// Label is the app's name or host.
func (a App) Label() string {
	if a.Name != "" {
		return a.Name
	}
	return a.Host
}

// Picture is the icon's path, "" when the page's CSP would not load it.
func (a App) Picture() string {
	if ownPath(a.Icon) {
		return a.Icon
	}
	return ""
}
