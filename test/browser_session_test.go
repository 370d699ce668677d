package test

import (
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// Moments of the document that is open, in milliseconds of the system's clock: when the way to it began, and when its
// answer came.
const (
	pageAsked    = "performance.timeOrigin"
	pageAnswered = "performance.timeOrigin + performance.getEntriesByType('navigation')[0].responseStart"
)

// UX section 4, 11: a session that its owner ends in one browser is over in the other at its next click, within a
// second.
func TestSessionEndedInOneBrowserIsOverInTheOther(t *testing.T) {
	s := alone.open(t)
	here, there := s.view(t, false), s.view(t, false)
	s.user("ina", piaPassword)
	for _, v := range []*viewer{there, here} {
		v.Open(v.at("app", "/orders"))
		v.signIn("ina", piaPassword)
		v.WaitText("h1", "Orders")
	}
	there.Click("#next")
	there.WaitLocation("page=2")
	there.WaitText("h1", "Orders") // until here the click works

	here.Open(here.at("app", "/.truxe/account/sessions"))
	here.WaitText("ul.devices", "This device")
	here.check("sessions-two")
	here.Click("ul.devices form button[name=revoke]")
	here.WaitText("main .note", "signed out")
	there.Click("#next")
	there.WaitText("h1", "Sign in")
	ended, noticed := rig.Eval[float64](here.Chromium, pageAsked), rig.Eval[float64](there.Chromium, pageAnswered)
	if noticed <= ended {
		t.Errorf("the sign-in page was there %.0f ms before the click that ended the session", ended-noticed)
	}
	timebound.Check(t, "the end of the session in the other tab", time.Duration((noticed-ended)*float64(time.Millisecond)),
		time.Second)
	there.check("login-after-revoke")
	here.check("session-ended")
	here.Open(here.at("app", "/orders"))
	here.WaitText("h1", "Orders")
	here.quiet("app")
}

// UX section 1.2: a form that is sent after the session has ended is not lost. Nothing reaches the app; the person
// signs in in a new tab and submits again, and the app gets the form byte for byte.
func TestFormSentAfterTheSessionEndedCanBeSubmittedAgain(t *testing.T) {
	s := alone.open(t)
	s.user("ole", piaPassword)
	v := s.view(t, false)
	v.Open(v.at("app", "/orders"))
	v.signIn("ole", piaPassword)
	v.WaitText("h1", "Orders")
	s.cli("sessions", "revoke", "--user", "ole", "--yes")
	v.Click("form button")
	v.WaitText("h1", "Your session ended.")
	if seen := s.up.Seen(); len(seen) != 0 {
		t.Fatalf("the app got %+v without a session", seen)
	}
	v.check("session-ended-post")

	tab := &viewer{v.NewTab(), t, s.g, false}
	tab.Open(rig.Eval[string](v.Chromium, `document.querySelector(".actions a").href`))
	tab.signIn("ole", piaPassword)
	tab.WaitText("h1", "signed in")
	tab.check("go-back-to-the-tab")
	v.WaitText("#other-tab", "ole")
	v.check("signed-in-elsewhere")
	v.Click("[data-resubmit]")
	v.WaitText("pre", "note=")
	v.quiet("app")
	if got := s.up.Last(); got.Method != "POST" || got.Target != "/orders" || got.Body != "note=7+%C3%84pfel+%26+more" {
		t.Errorf("the app got %s %s %q", got.Method, got.Target, got.Body)
	}
	if n := len(s.up.Seen()); n != 1 {
		t.Errorf("the app got the form %d times", n)
	}
}
