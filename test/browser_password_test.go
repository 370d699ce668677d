package test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// A person changes the password: a short one and a wrong current one are refused with words; then the new one signs in,
// and the old one does not.
func TestPasswordIsChangedInTheBrowser(t *testing.T) {
	ways(t, func(t *testing.T, plain bool) {
		const fresh = "eleven herons cross the fjord"
		s, name := alone.open(t), map[bool]string{false: "uma", true: "udo"}[plain]
		s.user(name, piaPassword)
		v := s.view(t, plain)
		v.Open(v.at("app", "/.truxe/account/password"))
		v.signIn(name, piaPassword)
		v.WaitVisible("#new_password")
		v.Fill("#new_password", "too short")
		if rig.Eval[bool](v.Chromium, `document.querySelector("#new_password").validity.valid`) {
			t.Error("the browser takes a short password")
		}
		v.Fill("#current_password", "not the password")
		v.Fill("#new_password", fresh)
		v.submit()
		v.failed("", "", "#current_password")
		v.check("password-refused")
		v.Fill("#current_password", piaPassword)
		v.Fill("#new_password", fresh)
		v.submit()
		v.WaitVisible(".note.ok")
		v.check("password-changed")

		v.signOut("app", v.quiet)
		v.Open(v.at("app", "/orders"))
		v.signIn(name, piaPassword)
		v.failed("#username", name, "#password")
		v.Fill("#password", fresh)
		v.submit()
		v.lands(v.at("app", "/orders"))
	})
}

var setupPath = regexp.MustCompile(`/\.truxe/setup#t=[\w-]+`)

// The setup link of a new gateway makes the first administrator, once, and leads to the account.
func TestSetupLinkMakesTheFirstAdministratorInTheBrowser(t *testing.T) {
	ways(t, func(t *testing.T, plain bool) {
		up := rig.Echo(t)
		s := &story{t: t, up: up, g: rig.Gateway(t, rig.Options{Caddyfile: strings.ReplaceAll(site("app.example.com",
			"\ttruxe"+appPage), "UPSTREAM", up.Addr())})}
		v := s.view(t, plain)
		link := v.at("app", setupPath.FindString(s.g.Log()))
		v.Open(link)
		v.WaitVisible("#new_password")
		if plain {
			_, code, _ := strings.Cut(link, "#t=")
			v.Fill("#token", code)
		} else if at := v.Location(); strings.Contains(at, "#") {
			t.Errorf("the setup code stays in the address bar: %s", at)
		}
		v.Fill("#username", "ada")
		v.Fill("#new_password", adminPassword)
		v.check("setup")
		v.submit()
		v.WaitText("h1", "ada")
		v.check("setup-done")
		v.Open(v.at("app", "/.truxe/account"))
		v.WaitText("h1", "ada")
		v.check("first-account")
		v.Open(v.at("app", "/orders"))
		v.lands(v.at("app", "/orders"))

		v.Open(link)
		v.WaitText("h1", "")
		if found := rig.Eval[int](v.Chromium, `document.querySelectorAll("#new_password").length`); found != 0 {
			t.Errorf("the link works twice: %s", v.Text("main"))
		}
		v.check("setup-over")
	})
}
