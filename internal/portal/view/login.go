package view

import "time"

// Login is the sign-in form. It posts FieldUsername, FieldPassword, FieldRemember, FieldReturn and FieldFragment to
// {base}/login. Status: 200, 401 with Problems, 429 with Wait, 503 when busy.
type Login struct {
	Destination
	// Username is kept after a failure; the password never is.
	Username string
	Problems []Problem
	// RememberDays is the true length of "Keep me signed in" (session remember); 0 hides the box.
	RememberDays int
	Remember     bool // ticked
	Attempts
	Already
	// CookiesBlocked: the flow cookie did not come back. FlowGone: the way back is not known any more.
	CookiesBlocked, FlowGone bool
	WayBack
	// Passkeys offers "Sign in with a passkey" and the browser's own list in the name field; the button shows itself only
	// where the browser can. The browser's answer comes as JSON in FieldPasskey of the same form, without a password.
	Passkeys bool
	// PasskeyBegin is where the module asks for options, as in MFA.
	PasskeyBegin string
	// Signal.Unknown names a passkey that the browser offered and no user has, so that it can be hidden.
	Signal PasskeySignal
	// Here is this page's own address with its way back, for a waiting tab that goes on after a sign-in elsewhere.
	// Empty: {base}/login.
	Here string
}

// Destination is where a sign-in leads: the app's name if it has one, else its host. Both empty: nothing is said.
type Destination struct{ Host, App string }

// Target is the app's name or host.
func (d Destination) Target() string {
	if d.App != "" {
		return d.App
	}
	return d.Host
}

// WayBack is what a form carries of where its user came from: the sealed id of the way back, and the part of the URL
// after "#", which only the browser knows.
type WayBack struct{ Return, Fragment string }

// KeptFragment is the fragment, bounded.
func (w WayBack) KeptFragment() string {
	if len(w.Fragment) > maxFragmentSize {
		return ""
	}
	return w.Fragment
}

// Already is for a visitor who is signed in.
type Already struct {
	// SignedIn, when not zero, asks first: go on as this person to Continue, or use another account.
	SignedIn Viewer
	Continue string
}

// Attempts is what a form says of the limit on attempts.
type Attempts struct {
	// TriesLeft > 0 says how many tries remain before a pause of Pause. Give it for unknown names too (R12).
	TriesLeft int
	Pause     time.Duration
	Wait      Wait // too many tries
}

// Wait says when a limit allows another attempt. The zero value says nothing.
type Wait struct {
	Until time.Time
	For   time.Duration // from now; also sent as Retry-After
}

func (p Login) meta() meta {
	m := meta{name: "login", title: "login.title", failed: p.Failed(), retry: p.Wait.For}
	if p.SignedIn.Username != "" {
		m.title = "login.already"
	}
	return m
}

// Failed reports whether there is something to correct.
func (p Login) Failed() bool { return len(p.Problems) > 0 || p.Wait.For > 0 || p.CookiesBlocked }

// CookiesText is the host whose cookies are blocked, "" when they are not.
func (p Login) CookiesText() string {
	switch {
	case !p.CookiesBlocked:
		return ""
	case p.Host == "":
		return p.Target()
	}
	return p.Host
}
