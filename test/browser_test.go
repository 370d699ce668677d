package test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// appPage is an app's page: a heading, a list to jump to and a form.
const appPage = `
	header Content-Type "text/html; charset=utf-8"
	@form method POST
	respond @form "<!doctype html><html lang=en><title>Saved</title><h1>Order saved</h1></html>"
	respond "<!doctype html><html lang=en><title>Orders</title><h1>Orders</h1><form method=post action=/orders><input name=n value=7><button>Save</button></form><h2 id=row-3>Row 3</h2></html>"
`

// live is the gateway that the browser stories share: single sign-on at auth, two apps, and one host that is its own
// portal.
var live = share(plot{
	options: "portal auth.example.com\n\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m",
	sites: site("auth.example.com", "\ttruxe portal") +
		site("app.example.com", "\ttruxe {\n\t\tapp Orders\n\t}"+appPage) +
		site("boss.example.com", "\ttruxe {\n\t\tallow role boss\n\t}"+appPage),
})

// alone is a host without a portal beside it.
var alone = share(plot{sites: site("app.example.com", "\ttruxe"+appPage)})

// look is how a browser shows pages.
type look struct {
	name    string
	options rig.BrowserOptions
}

var looks = []look{
	{"light", rig.BrowserOptions{}},
	{"dark", rig.BrowserOptions{Dark: true}},
	{"phone", rig.BrowserOptions{Width: 360, Height: 740}},
	{"no-javascript", rig.BrowserOptions{NoJavaScript: true}},
}

// viewer is a browser that looks at every page it is shown: no CSP violation, no script error, no barrier, no sideways
// scrolling.
type viewer struct {
	*rig.Chromium
	t    *testing.T
	look look
}

func (s *story) view(t *testing.T, l look) *viewer {
	t.Helper()
	l.options.Gateway = s.g
	return &viewer{rig.Browser(t, l.options), t, l}
}

// at is the address of a path on a host, with the port that this gateway has.
func (v *viewer) at(host, path string) string {
	return fmt.Sprintf("https://%s.example.com:%d%s", host, v.look.options.Gateway.Port("https"), path)
}

// check looks at the page as it is now, and keeps a picture of it.
func (v *viewer) check(name string) {
	v.t.Helper()
	if p := v.Problems("csp", "exception", "console"); len(p) != 0 {
		v.t.Errorf("%s: the browser complains: %v", name, p)
	}
	if f := rig.Serious(v.Axe()); len(f) != 0 {
		v.t.Errorf("%s: barriers: %v", name, f)
	}
	if over := rig.Eval[int](v.Chromium, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		v.t.Errorf("%s is %d px wider than the window", name, over)
	}
	v.Screenshot("live-" + v.look.name + "-" + name)
	v.Forget()
}

// signIn fills in the login page that is open.
func (v *viewer) signIn(username, password string) {
	v.t.Helper()
	v.WaitText("h1", "Sign in")
	v.Fill("#username", username)
	v.Fill("#password", password)
	v.Click("form button[type=submit]")
}

// The way of a person through the gateway, in a real browser: a deep link on another origin, a wrong password, the app,
// a page that is refused, the account, sign-out. Light, dark, on a phone and without JavaScript.
func TestPersonFindsTheWayThroughTheGatewayInARealBrowser(t *testing.T) {
	for _, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			s := live.open(t)
			v := s.view(t, l)
			link := v.at("app", "/orders?id=7&q=a%20b")
			v.Open(link + "#row-3")
			v.WaitLocation(v.at("auth", "/.truxe/login"))
			v.WaitText("h1", "Sign in")
			v.check("login")

			v.signIn("pia", "not her password")
			v.WaitVisible(".summary")
			if title := rig.Eval[string](v.Chromium, "document.title"); !strings.HasPrefix(title, "Error:") {
				t.Errorf("the title of a failed sign-in is %q", title)
			}
			if name := rig.Eval[string](v.Chromium, `document.querySelector("#username").value`); name != "pia" {
				t.Errorf("the user name is lost: %q", name)
			}
			v.check("wrong-password")

			v.Fill("#password", piaPassword)
			v.Click("form button[type=submit]")
			v.WaitText("h1", "Orders")
			want := link + "#row-3"
			if l.options.NoJavaScript {
				want = link // a form's answer loses the fragment, and only a script can keep it
			}
			if at := v.Location(); at != want {
				t.Errorf("the deep link ends at %s, want %s", at, want)
			}
			v.Forget()

			v.Open(v.at("boss", "/"))
			v.WaitText("h1", "You don't have access")
			v.check("denied")
			for _, page := range []struct{ path, heading string }{{"", "Your apps"}, {"account", "Pia"}, {"account/sessions", ""}, {"account/password", ""}} {
				v.Open(v.at("auth", "/.truxe/") + page.path)
				v.WaitText("h1", page.heading)
				v.check("page-" + strings.ReplaceAll(page.path, "/", "-"))
			}

			v.Open(v.at("auth", "/.truxe/logout"))
			v.WaitText("h1", "Sign out?")
			v.check("logout")
			v.Click("form button[type=submit]")
			v.WaitText("h1", "You're signed out.")
			v.check("signed-out")
			v.Open(link)
			v.WaitText("h1", "Sign in")
			v.Forget()
		})
	}
}

// The same host is app and portal: query and fragment come back.
func TestDeepLinkOnTheSameHostKeepsQueryAndFragment(t *testing.T) {
	s := alone.open(t)
	v := s.view(t, looks[0])
	link := v.at("app", "/orders?id=7&q=a%20b#/list/row-3")
	v.Open(link)
	v.signIn("pia", piaPassword)
	v.WaitText("h1", "Orders")
	if at := v.Location(); at != link {
		t.Errorf("the deep link ends at %s, want %s", at, link)
	}
}

// A session that its owner ends in one browser is over in the other at its next click, within a second.
func TestSessionEndedInOneBrowserIsOverInTheOther(t *testing.T) {
	s := alone.open(t)
	here, there := s.view(t, looks[0]), s.view(t, looks[2])
	s.user("ina", piaPassword)
	for _, v := range []*viewer{there, here} {
		v.Open(v.at("app", "/"))
		v.signIn("ina", piaPassword)
		v.WaitText("h1", "Orders")
	}
	here.Open(here.at("app", "/.truxe/account/sessions"))
	here.Click("ul.devices form button[name=revoke]")
	here.WaitText("main", "signed out")
	ended := time.Now()
	here.check("session-ended")
	there.Open(here.at("app", "/orders"))
	there.WaitText("h1", "Sign in")
	t.Logf("signed out %s after the click, checks and the page's load included", time.Since(ended).Round(time.Millisecond))
	here.Open(here.at("app", "/orders"))
	here.WaitText("h1", "Orders")
}

// A form that is sent after the session has ended reaches the app all the same: the person signs in in a new tab and
// submits again.
func TestFormSentAfterTheSessionEndedCanBeSubmittedAgain(t *testing.T) {
	s := alone.open(t)
	s.user("ole", piaPassword)
	v := s.view(t, looks[0])
	v.Open(v.at("app", "/orders"))
	v.signIn("ole", piaPassword)
	v.WaitText("h1", "Orders")
	s.cli("sessions", "revoke", "--user", "ole", "--yes")
	v.Click("form button")
	v.WaitText("h1", "Your session ended.")
	v.check("session-ended-post")

	tab := &viewer{v.NewTab(), t, v.look}
	tab.Open(rig.Eval[string](v.Chromium, `document.querySelector(".actions a").href`))
	tab.signIn("ole", piaPassword)
	tab.WaitText("h1", "signed in")
	v.WaitText("#other-tab", "ole")
	v.Click("[data-resubmit]")
	v.WaitText("h1", "Order saved")
}

var setupPath = regexp.MustCompile(`/\.truxe/setup#t=[\w-]+`)

// A person changes the password; the new one signs in, the old one does not.
func TestPasswordIsChangedInTheBrowser(t *testing.T) {
	s := alone.open(t)
	s.user("uma", piaPassword)
	const fresh = "eleven herons cross the fjord"
	v := s.view(t, looks[0])
	v.Open(v.at("app", "/.truxe/account/password"))
	v.signIn("uma", piaPassword)
	v.WaitVisible("#new_password")
	v.Fill("#current_password", piaPassword)
	v.Fill("#new_password", "too short")
	v.Click("form.form button[type=submit]")
	if rig.Eval[bool](v.Chromium, `document.querySelector("#new_password").validity.valid`) {
		t.Error("the browser takes a short password")
	}
	v.Fill("#new_password", fresh)
	v.Click("form.form button[type=submit]")
	v.WaitVisible(".note.ok")
	v.check("password-changed")
	v.Open(v.at("app", "/.truxe/logout"))
	v.WaitText("h1", "Sign out?")
	v.Click("form button[type=submit]")
	v.WaitText("h1", "You're signed out.")
	v.Open(v.at("app", "/orders"))
	v.signIn("uma", piaPassword)
	v.WaitVisible(".summary")
	v.Fill("#password", fresh)
	v.Click("form button[type=submit]")
	v.WaitText("h1", "Orders")
}

// The setup link of a new gateway makes the first administrator, once.
func TestSetupLinkMakesTheFirstAdministratorInTheBrowser(t *testing.T) {
	for _, l := range []look{looks[0], looks[3]} {
		t.Run(l.name, func(t *testing.T) {
			g := rig.Gateway(t, rig.Options{Caddyfile: site("app.example.com", "\ttruxe"+appPage)})
			s := &story{t: t, g: g}
			v := s.view(t, l)
			link := v.at("app", setupPath.FindString(g.Log()))
			v.Open(link)
			v.WaitVisible("#new_password")
			if l.options.NoJavaScript {
				_, code, _ := strings.Cut(link, "#t=")
				v.Fill("#token", code)
			}
			if at := v.Location(); !l.options.NoJavaScript && strings.Contains(at, "#t=") {
				t.Error("the setup code stays in the address bar")
			}
			v.Fill("#username", "ada")
			v.Fill("#new_password", adminPassword)
			v.check("setup")
			v.Click("form button[type=submit]")
			v.WaitText("h1", "ada")
			v.check("setup-done")
			v.Open(v.at("app", "/orders"))
			v.WaitText("h1", "Orders")
			v.Open(link)
			v.WaitText("h1", "")
			if text := v.Text("main"); strings.Contains(text, "Create") && strings.Contains(text, "Password") {
				t.Errorf("the link works twice: %s", text)
			}
		})
	}
}
