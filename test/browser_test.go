package test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// appPage is an app: a page with a heading, a link, a form and something to jump to. What the form sends is recorded.
const appPage = `
	@page method GET
	header @page Content-Type "text/html; charset=utf-8"
	respond @page "<!doctype html><html lang=en><title>Orders</title><h1>Orders</h1><a id=next href=/orders?page=2>Next</a><form method=post action=/orders><label>Note <input name=note value='7 Äpfel &amp; more'></label><button>Save</button></form><h2 id=row-3>Row 3</h2></html>"
	reverse_proxy UPSTREAM
`

// live is the gateway that the browser stories share: single sign-on at auth, an app, and one that few may open.
var live = share(plot{
	options: "portal auth.example.com\n\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m",
	sites: site("auth.example.com", "\ttruxe portal") +
		site("app.example.com", "\ttruxe {\n\t\tapp Orders\n\t}"+appPage) +
		site("boss.example.com", "\ttruxe {\n\t\tallow role boss\n\t}"+appPage),
})

// alone is a host without a portal beside it.
var alone = share(plot{sites: site("app.example.com", "\ttruxe"+appPage)})

// viewer is a browser window that looks closely at the pages it is shown.
type viewer struct {
	*rig.Chromium
	t     *testing.T
	g     *rig.Caddy
	plain bool // without JavaScript
}

// view opens a window, without JavaScript when it is to be plain.
func (s *story) view(t *testing.T, plain bool) *viewer {
	t.Helper()
	return &viewer{rig.Window(t, rig.BrowserOptions{NoJavaScript: plain}), t, s.g, plain}
}

// ways are the two kinds of visitors: those whose browser runs scripts, and those whose does not.
func ways(t *testing.T, story func(t *testing.T, plain bool)) {
	t.Run("javascript", func(t *testing.T) { story(t, false) })
	t.Run("no-javascript", func(t *testing.T) { story(t, true) })
}

// at is the address of a path on a host, with the port that this gateway has.
func (v *viewer) at(host, path string) string {
	return fmt.Sprintf("https://%s.example.com:%d%s", host, v.g.Port("https"), path)
}

// quiet fails the test when the browser has complained: of a CSP violation, a script's error, a console error, or
// anything that did not load.
func (v *viewer) quiet(name string) {
	v.t.Helper()
	if p := v.Complaints(); len(p) != 0 {
		v.t.Errorf("%s: the browser complains: %v", name, p)
	}
	v.Forget()
}

// looks are what every page is looked at in. Without JavaScript pages are the same but for what scripts add, so there
// the first will do.
var looks = []struct {
	name string
	rig.Look
	axe func(*rig.Chromium) []rig.AxeFinding // what another look has not shown it yet
}{
	{"light", rig.Look{}, (*rig.Chromium).Axe},
	{"dark", rig.Look{Dark: true}, (*rig.Chromium).AxeColours},
	{"360", rig.Look{Width: 360, Height: 740}, (*rig.Chromium).AxeStructure},
}

// check looks at the page that is open, light, dark and on a phone: the browser is quiet, axe-core finds nothing
// serious, nothing scrolls sideways. TRUXE_SCREENSHOTS keeps pictures.
func (v *viewer) check(name string) {
	v.t.Helper()
	v.quiet(name)
	shown := looks
	if v.plain {
		shown, name = looks[:1], "plain-"+name
	}
	for _, l := range shown {
		v.Show(l.Look)
		if f := rig.Serious(l.axe(v.Chromium)); len(f) != 0 {
			v.t.Errorf("%s, %s: barriers: %v", name, l.name, f)
		}
		if over := rig.Eval[int](v.Chromium, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
			v.t.Errorf("%s, %s: %d px wider than the window", name, l.name, over)
		}
		if os.Getenv("TRUXE_SCREENSHOTS") != "" {
			v.Screenshot("live-" + name + "-" + l.name)
		}
	}
	v.Show(looks[0].Look)
	v.quiet(name + " in another look")
}

// submit presses the button of the page's form.
func (v *viewer) submit() {
	v.t.Helper()
	v.Click("main form button[type=submit]")
}

// signIn fills in the login page that is open, or about to.
func (v *viewer) signIn(username, password string) {
	v.t.Helper()
	v.WaitText("h1", "Sign in")
	v.Fill("#username", username)
	v.Fill("#password", password)
	v.submit()
}

// signOut goes by way of a host's page that asks, and looks at both pages: with check, or with quiet where another
// story has checked them.
func (v *viewer) signOut(host string, look func(name string)) {
	v.t.Helper()
	v.Open(v.at(host, "/.truxe/logout"))
	v.WaitText("h1", "Sign out?")
	look("logout")
	v.submit()
	v.WaitText("h1", "You're signed out.")
	look("signed-out")
}

// failed looks at a form that came back with an error: told in the title and in a summary, which has the focus; the
// field kept, if one is named, still has its value; the password emptied is gone.
func (v *viewer) failed(kept, value, emptied string) {
	v.t.Helper()
	v.WaitVisible(".summary")
	v.focused()
	state := rig.Eval[[]string](v.Chromium,
		fmt.Sprintf(`[document.title.slice(0, 6), document.querySelector(%q)?.value ?? "", document.querySelector(%q).value]`,
			cmp.Or(kept, "nothing"), emptied))
	if want := []string{"Error:", value, ""}; !slices.Equal(state, want) {
		v.t.Errorf("title, kept, emptied: %q, want %q", state, want)
	}
}

// focused waits until the summary of errors has the focus: the browser gives it with the first picture of the page.
func (v *viewer) focused() {
	v.t.Helper()
	v.WaitEval(8*time.Second, "the summary of errors has the focus", `document.activeElement?.className === "summary"`)
}

// lands waits for the app and asks where the browser is: at the link to the last character. A form's answer loses what
// follows #, and only a script can keep it (UX section 1.4).
func (v *viewer) lands(link string) {
	v.t.Helper()
	v.WaitText("h1", "Orders")
	if v.plain {
		link, _, _ = strings.Cut(link, "#")
	}
	if at := v.Location(); at != link {
		v.t.Errorf("the deep link ends at %s, want %s", at, link)
	}
	v.quiet("app")
}

// UX section 4, 1 and 3: the way of a person through the gateway. A deep link on another origin, a wrong password, the
// app, a page that is refused, the account, sign-out.
func TestPersonFindsTheWayThroughTheGatewayInARealBrowser(t *testing.T) {
	ways(t, func(t *testing.T, plain bool) {
		v := live.open(t).view(t, plain)
		link := v.at("app", "/orders?id=7&q=a%20b#row-3")
		v.Open(link)
		v.WaitLocation(v.at("auth", "/.truxe/login"))
		v.WaitText("h1", "Sign in")
		v.check("login")

		v.signIn("pia", "not her password")
		v.failed("#username", "pia", "#password")
		v.check("wrong-password")
		v.Fill("#password", piaPassword)
		v.submit()
		v.lands(link)

		v.Open(v.at("boss", "/"))
		v.WaitText("h1", "You don't have access")
		v.check("denied")
		for _, page := range [][2]string{{"", "Your apps"}, {"account", "Pia"}, {"account/sessions", "Your devices"},
			{"account/password", "Change"}} {
			v.Open(v.at("auth", "/.truxe/") + page[0])
			v.WaitText("h1", page[1])
			v.check("page-" + strings.ReplaceAll(page[0], "/", "-"))
		}
		v.signOut("auth", v.check)
		v.Open(link)
		v.WaitText("h1", "Sign in")
		v.quiet("login after sign-out")
	})
}

// UX section 1.4: on one host that is app and portal, query and fragment come back: a route of the app, and a name that
// the login page has an element of, too. A jump within the login page is not taken for the app's.
func TestDeepLinkOnTheSameHostKeepsQueryAndFragment(t *testing.T) {
	ways(t, func(t *testing.T, plain bool) {
		v := alone.open(t).view(t, plain)
		for _, fragment := range []string{"#/list/row-3?q=a%20b", "#main"} {
			link := v.at("app", "/orders?id=7&q=a%20b"+fragment)
			v.Open(link)
			v.signIn("pia", piaPassword)
			v.lands(link)
			v.signOut("app", v.quiet)
		}
		link := v.at("app", "/orders?id=8")
		v.Open(link)
		v.WaitText("h1", "Sign in")
		rig.Eval[bool](v.Chromium, `(location.hash = "main") !== ""`) // what the skip link does
		v.Do(chromedp.Reload())
		v.signIn("pia", piaPassword)
		v.lands(link)
	})
}
