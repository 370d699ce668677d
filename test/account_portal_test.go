package test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

var ssoSites = share(plot{
	options: "\t\tportal auth.test\n\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m",
	sites: "auth.test {\n\ttruxe portal\n}\n" + site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM") +
		site("vault.test", "\ttruxe {\n\t\trequire mfa max_age 10m\n\t}\n\treverse_proxy UPSTREAM"),
})

// at is the same browser on another host.
func (v *visitor) at(host string) *visitor { return &visitor{s: v.s, c: v.c, host: host} }

// follow goes through redirects and refreshing pages, as a browser does, until a page stays.
func (v *visitor) follow(a answer) (answer, string) {
	v.s.t.Helper()
	where := ""
	for range 12 {
		to := a.header.Get("Location")
		if to == "" {
			_, to, _ = strings.Cut(a.header.Get("Refresh"), "url=")
		}
		if to == "" {
			return a, where
		}
		base, _ := url.Parse("https://" + v.host)
		if where != "" {
			base, _ = url.Parse(where)
		}
		u, err := base.Parse(to)
		if err != nil {
			v.s.t.Fatal(err)
		}
		where = u.String()
		a = v.get(where, navigate)
	}
	v.s.t.Fatalf("the way does not end: %s", where)
	return a, where
}

// MF-09 CS-07 UX section 3: with a portal, sign-in, second step, confirmation and account live on its host: an app's
// host leads there and back, and a form never takes its content along.
func TestPagesOfSignInAndAccountLiveOnThePortal(t *testing.T) {
	s := ssoSites.open(t)
	auth := s.origin("auth.test")
	f := s.withTOTP("auth.test", "agnes")
	v := s.browser("app.test")
	first := v.get("/deep?x=1", navigate).want(http.StatusFound).header.Get("Location")
	if !strings.HasPrefix(first, auth+"/.truxe/login?r=") {
		t.Fatalf("an app leads to %s", first)
	}
	for _, path := range []string{"account", "account/profile", "account/totp", "account/passkeys",
		"account/recovery-codes", "account/devices", "account/activity", "account/sessions", "account/password", "mfa"} {
		if a := v.get("/.truxe/"+path+"?q=1", navigate); a.header.Get("Location") != auth+"/.truxe/"+path+"?q=1" {
			t.Errorf("%s leads to %d %s", path, a.status, a.header.Get("Location"))
		}
	}
	for _, form := range []string{"login", "mfa", "account/password"} {
		a := v.form(form, "username", f.name, "password", f.password, "method", "totp", "code", "123456")
		if a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), auth+"/.truxe/") ||
			a.setsCookie("__Host-truxe") != "" {
			t.Errorf("the form %s on an app's host: %d %s", form, a.status, a.header.Get("Location"))
		}
	}
	portal := v.at("auth.test")
	a := portal.tryForm(first, f.name, f.password).want(http.StatusSeeOther)
	id := strings.TrimPrefix(a.header.Get("Location"), "/.truxe/mfa?r=")
	done := portal.form("mfa", "method", "totp", "code", f.code(), "return", id).want(http.StatusSeeOther)
	last, where := portal.follow(done)
	if last.status != http.StatusOK || where != "https://app.test/deep?x=1" {
		t.Fatalf("the way ends at %s with %d", where, last.status)
	}
	if amr := strings.Join(s.up.Last().Get("X-Truxe-Amr"), ","); !strings.Contains(amr, "otp") {
		t.Errorf("the app is told %q", amr)
	}
	portal.get("/.truxe/account", navigate).want(http.StatusOK)

	// UX section 1.2: a form whose session has ended; the sign-in in a second tab ends on the app's own host.
	other := s.browser("app.test")
	ended := other.do("POST", "/save", "x=1", submit, []string{"Origin", "https://app.test"}).want(http.StatusUnauthorized)
	if !strings.Contains(ended.body, `href="/.truxe/login?back=1"`) {
		t.Fatalf("the page of a form whose session has ended: %.2000s", ended.body)
	}
	login := other.get("/.truxe/login?back=1", navigate).want(http.StatusFound).header.Get("Location")
	back, where := other.at("auth.test").follow(other.at("auth.test").tryForm(login, "pia",
		piaPassword).want(http.StatusSeeOther))
	if where != "https://app.test/.truxe/continue?r=back" || !strings.Contains(back.text(), "Go back to the other tab.") {
		t.Errorf("the second tab ends at %s: %.900s", where, back.text())
	}
	other.do("POST", "/save", "x=1", submit, []string{"Origin", "https://app.test"}).want(http.StatusOK)
	for _, host := range []string{"auth.test", "app.test"} {
		var out map[string]string
		v.at(host).get("/.well-known/passkey-endpoints", program).want(http.StatusOK).json(&out)
		if want := auth + "/.truxe/account/passkeys"; out["enroll"] != want || out["manage"] != want {
			t.Errorf("passkey-endpoints of %s: %v", host, out)
		}
	}
	if to := v.get("/.well-known/change-password", navigate).want(http.StatusFound).header.Get("Location"); to != auth+
		"/.truxe/account/password" {
		t.Errorf("change-password leads to %s", to)
	}
	v.get("/.well-known/security.txt", navigate).want(http.StatusOK)       // the app's own
	portal.get("/.well-known/anything", program).want(http.StatusNotFound) // password managers ask for this
	if a := portal.do("POST", "/.well-known/passkey-endpoints", "{}", sendsJSON); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST to passkey-endpoints: %d", a.status)
	}
}

// MF-13 SE-05: a step-up for an app happens at the portal and comes back with a ticket; the app's session then has
// proven what the portal's has. Beside a form it ends with "Go back to the other tab" on the app's own host.
func TestStepUpAtThePortalReachesTheAppsSession(t *testing.T) {
	s := ssoSites.open(t)
	auth := s.origin("auth.test")
	f := s.withTOTP("auth.test", "benno")
	// Trusted, this browser signs in with the password alone.
	v := s.browser("app.test")
	portal, vault := v.at("auth.test"), v.at("vault.test")
	portal.tryForm("/.truxe/login", f.name, f.password).want(http.StatusSeeOther)
	portal.second("method", "totp", "code", f.code(), "trust", "on").want(http.StatusSeeOther)
	portal.form("logout").want(http.StatusSeeOther)
	first := v.get("/", navigate).header.Get("Location")
	done := portal.tryForm(first, f.name, f.password).want(http.StatusSeeOther)
	if page, _ := portal.follow(done); page.status != http.StatusOK {
		t.Fatalf("signing in with a trusted browser: %d", page.status)
	}
	if amr := strings.Join(s.up.Last().Get("X-Truxe-Amr"), ","); strings.Contains(amr, "otp") {
		t.Errorf("without a code the app is told %q", amr)
	}

	ask, where := vault.follow(vault.get("/secrets/1?a=b", navigate).want(http.StatusFound))
	u, err := url.Parse(where)
	if err != nil || !strings.HasPrefix(where, auth+"/.truxe/confirm?r=") ||
		!strings.Contains(ask.text(), "Confirm it's you to open vault.test") || !strings.Contains(ask.text(), "10 minutes") {
		t.Fatalf("the vault leads to %s: %.900s", where, ask.text())
	}
	id := u.Query().Get("r")
	before := vault.session()
	// The password does not meet the rule, and is not offered.
	portal.form("confirm", "method", "totp", "code", "000000", "return", id).want(http.StatusUnauthorized)
	ok := portal.form("confirm", "method", "totp", "code", f.code(), "return", id).want(http.StatusSeeOther)
	last, where := portal.follow(ok)
	if last.status != http.StatusOK || !strings.HasSuffix(where, "/secrets/1?a=b") ||
		!strings.Contains(where, "vault.test") {
		t.Fatalf("after the confirmation: %s %d", where, last.status)
	}
	if vault.session() == before {
		t.Error("the session's secret at the app is the same after the step-up")
	}
	if amr := strings.Join(s.up.Last().Get("X-Truxe-Amr"), ","); !strings.Contains(amr, "otp") {
		t.Errorf("after the step-up the vault is told %q", amr)
	}
	// The other app's session has proven nothing new by that.
	v.get("/", navigate).want(http.StatusOK)

	// A form of the vault, when the proof is old: answered in place, confirmed beside it.
	stepUp := "/.truxe/confirm?back=1&acr_values=3"
	beside, where := vault.follow(vault.get(stepUp, navigate))
	if !strings.HasPrefix(where, auth+"/.truxe/confirm?r=") ||
		!strings.Contains(beside.text(), "This needs a passkey, and you have none yet.") {
		t.Errorf("a step-up that needs a passkey: %s %.500s", where, beside.text())
	}
	back, where := vault.follow(vault.get("/.truxe/confirm?back=1&acr_values=2", navigate))
	if !strings.Contains(where, "vault.test") || !strings.Contains(back.text(), "Confirmed.") ||
		!strings.Contains(back.text(), "Go back to the other tab.") {
		t.Errorf("beside a form it ends at %s: %.500s", where, back.text())
	}
	// A stranger's ticket or way is nothing here.
	stranger := s.browser("vault.test")
	stranger.get("/.truxe/callback?ticket=x&r="+id, navigate).want(http.StatusBadRequest)
	vault.get("/.truxe/callback?ticket=x&r=aaaaaaaaaaaaaaaaaaaaaaaaaa", navigate).want(http.StatusFound)
}
