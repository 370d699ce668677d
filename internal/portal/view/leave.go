package view

import "strings"

// Continue is the last page after a form that ends elsewhere: 200 with "Refresh: 0" and a visible link. A redirect
// would be judged by form-action, at every hop, and blocked (UX section 1.1).
type Continue struct {
	// Target is where to go: a URL or path the caller has checked against the protected hosts. Anything but http, https
	// and a path makes the page a 500.
	Target string
	Host   string // shown: "Continue to HOST"
	App    string // shown instead of Host
	// Fragment is what followed # in the first address; it is appended when Target has none of its own.
	Fragment string
}

func (p Continue) meta() meta {
	return meta{name: "continue", title: "continue.title", args: []any{"target", p.Where()}, target: p.target()}
}

// Where is the app's name or host.
func (p Continue) Where() string {
	if p.App != "" {
		return p.App
	}
	return p.Host
}

// URL is the whole way, fragment included; "" when it must not be followed.
func (p Continue) URL() string { return p.target() }

func (p Continue) target() string {
	to := link(p.Target)
	if to == "" || p.Fragment == "" || len(p.Fragment) > maxFragmentSize || strings.Contains(to, "#") {
		return to
	}
	return to + "#" + escapeURL(p.Fragment)
}

// LogoutAsk asks before signing out. It posts to {base}/logout.
type LogoutAsk struct {
	Viewer Viewer
	Hosts  []string // where the person is signed out, may be empty
	// Half: they are not signed in yet, only the first step of the sign-in is done.
	Half bool
}

func (p LogoutAsk) meta() meta {
	if p.Half {
		return meta{name: "logout", title: "logout.half"} // no user is signed in
	}
	return meta{name: "logout", title: "logout.title", viewer: p.Viewer}
}

// SignedOut says that the session has ended. There is no way on to the sign-in form by itself: a lone provider would
// sign the person in again at once.
type SignedOut struct {
	Hosts []string
	// Providers may still hold a session of their own.
	Providers []Link
}

// Link is a name and where it leads; a URL that is not http, https or a path is shown without a link.
type Link struct{ Name, URL string }

func (p SignedOut) meta() meta { return meta{name: "signedout", title: "signedout.title"} }

// SignedInGoBack ends a sign-in in a second tab, opened from SessionEnded or FrameSignIn, or a step-up opened from
// StepUp.
type SignedInGoBack struct {
	Viewer    Viewer
	Host      string
	Confirmed bool // it was a step-up: "Confirmed."
}

func (p SignedInGoBack) meta() meta {
	m := meta{name: "goback", title: "goback.title", viewer: p.Viewer}
	if p.Confirmed {
		m.title = "goback.confirmed"
	}
	return m
}
