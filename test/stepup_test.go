package test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// vaults are sites that ask for more than a password; auth is the single sign-on host of the last two.
var vaults = share(plot{
	options: "rate_limit login 1000 5m\n\t\trate_limit address 10000 5m",
	sites: site("home.test", "\ttruxe\n\treverse_proxy UPSTREAM") +
		site("vault.test",
			"\ttruxe {\n\t\tpublic /about\n\t\trequire mfa max_age 10m\n\t\tassertion on\n\t}\n\treverse_proxy UPSTREAM") +
		site("brief.test", "\ttruxe {\n\t\trequire mfa max_age 3s\n\t}\n\treverse_proxy UPSTREAM") +
		site("keys.test", "\ttruxe {\n\t\trequire passkey\n\t}\n\treverse_proxy UPSTREAM") +
		site("near.test", "\ttruxe {\n\t\trequire network 127.0.0.0/8\n\t}\n\treverse_proxy UPSTREAM") +
		site("far.test", "\ttruxe {\n\t\trequire network 10.0.0.0/8\n\t}\n\treverse_proxy UPSTREAM"),
})

var joint = share(plot{
	options: "portal auth.test\n\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m",
	sites: site("auth.test", "\ttruxe portal") +
		site("plain.test", "\ttruxe\n\treverse_proxy UPSTREAM") +
		site("vault.test", "\ttruxe {\n\t\trequire mfa max_age 5s\n\t}\n\treverse_proxy UPSTREAM"),
})

// wayOf is the id of the way back in a redirect.
func wayOf(t *testing.T, a answer) string {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("r")
}

// lands follows an answer to the page that stays.
func (v *visitor) lands(a answer) answer {
	v.s.t.Helper()
	page, _ := v.follow(a)
	return page
}

// MF-21 CS-12: a session with a password alone, because its browser is trusted, proves the second factor where
// an app asks for it, and lands on the page that was asked for. Header and assertion then tell it.
func TestStepUpLeadsBackToThePageThatAskedForIt(t *testing.T) {
	s := vaults.open(t)
	f := s.withTOTP("vault.test", "vera")
	v := s.browser("vault.test")
	v.signInTrusted(f)
	if v.session() == "" {
		t.Fatal("not signed in")
	}

	const deep = "/secrets/7?q=a%20b&n=1"
	asked := v.get(deep, navigate).want(http.StatusFound)
	if !strings.HasPrefix(asked.header.Get("Location"), "/.truxe/confirm?r=") {
		t.Fatalf("it leads to %s", asked.header.Get("Location"))
	}
	if n := len(s.up.Seen()); n != 0 {
		t.Fatalf("the app got %d requests", n)
	}
	page := v.get(asked.header.Get("Location"), navigate).want(http.StatusOK)
	for _, words := range []string{"Confirm it", "vault.test", "10 minutes", "one-time-code"} {
		if !strings.Contains(page.body, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	way := wayOf(t, asked)
	v.form("confirm", "method", "totp", "code", "000000", "return", way).want(http.StatusUnauthorized,
		http.StatusUnprocessableEntity)
	v.form("confirm", "method", "password", "password", f.password, "return", way)
	v.get(deep, navigate).want(http.StatusFound) // the password again is no second factor
	old := v.session()
	v.lands(v.form("confirm", "method", "totp", "code", f.code(), "return",
		way).want(http.StatusSeeOther)).want(http.StatusOK)
	if v.session() == old {
		t.Error("SE-02: the session kept its secret")
	}
	got := s.up.Last()
	if got.Target != deep || !strings.Contains(got.Get("X-Truxe-Amr")[0], "otp") {
		t.Errorf("the app got %s with amr %q", got.Target, got.Get("X-Truxe-Amr"))
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(got.Get("X-Truxe-Jwt-Assertion")[0], claims); err != nil ||
		claims["acr"] != "2" || claims["mfa_time"] == nil || claims["aud"] != "vault.test" {
		t.Errorf("assertion %v: %v", claims, err)
	}
}

// signInTrusted signs in once, trusting this browser, and again without a second factor.
func (v *visitor) signInTrusted(f *factor) {
	v.s.t.Helper()
	v.tryForm("/.truxe/login", f.name, f.password).want(http.StatusSeeOther)
	v.second("method", "totp", "code", f.code(), "trust", "on").want(http.StatusSeeOther)
	v.form("logout").want(http.StatusSeeOther)
	v.tryForm("/.truxe/login", f.name, f.password).want(http.StatusSeeOther)
	if v.session() == "" {
		v.s.t.Fatal("a trusted browser is asked again")
	}
}

// CONTRACT section 3: what asks for a factor answers each client in its own way, and a bearer token proves by its own
// claims.
func TestProgramsAreToldWhichFactorIsMissing(t *testing.T) {
	s := vaults.open(t)
	s.user("paul", piaPassword)
	v := s.browser("vault.test")
	v.signIn("paul", piaPassword)
	for name, c := range map[string]struct {
		host, acr string
		age       int
	}{"mfa": {"vault.test", "2", 600}, "passkey": {"keys.test", "3", 0}} {
		v := s.browser(c.host)
		v.signIn("paul", piaPassword)
		token := s.withBearer(c.host, s.login(c.host, "paul", piaPassword).Access)
		for who, a := range map[string]answer{"cookie": v.get("/x", fetch), "token": token.get("/x", program)} {
			if p := a.problem(http.StatusUnauthorized, "step_up_required"); p.ACRValues != c.acr || p.MaxAge != c.age ||
				!strings.HasPrefix(p.ConfirmURL, "/.truxe/confirm?") {
				t.Errorf("%s, %s: %s", name, who, a.body)
			}
			if got := a.header.Get("WWW-Authenticate"); !strings.Contains(got,
				`error="insufficient_user_authentication", acr_values="`+c.acr+`"`) {
				t.Errorf("%s, %s: %s", name, who, got)
			}
		}
		if _, status, _ := v.socket("/ws"); status != http.StatusUnauthorized {
			t.Errorf("%s: a WebSocket gets %d", name, status)
		}
	}
	if _, status, _ := s.bare("vault.test").socket("/ws"); status != http.StatusUnauthorized {
		t.Errorf("anonymous WebSocket: %d", status)
	}
	f := s.withTOTP("vault.test", "tom")
	s.withBearer("vault.test", f.login().Access).get("/x", program).want(http.StatusOK)
	s.bare("vault.test").get("/x", navigate).want(http.StatusFound)
	if n := len(s.up.Seen()); n != 1 {
		t.Errorf("the app got %d requests", n)
	}
}

// A form is answered in place; the factor is proven in a second tab, and the same form then goes through (UX section
// 1.2).
func TestFormGoesThroughAfterAStepUpInASecondTab(t *testing.T) {
	s := vaults.open(t)
	f := s.withTOTP("vault.test", "fay")
	v := s.browser("vault.test")
	v.signInTrusted(f)
	page := v.do(http.MethodPost, "/orders", "n=7", submit).want(http.StatusUnauthorized)
	const tab = "/.truxe/confirm?acr_values=2&back=1&max_age=600"
	if !strings.Contains(page.body, "data-resubmit") || !strings.Contains(page.body,
		strings.ReplaceAll(tab, "&", "&amp;")) {
		t.Fatalf("the page: %s", page.body)
	}
	cross := v.do(http.MethodPost, "/orders", "n=7", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document",
		"Sec-Fetch-Site", "cross-site", "Accept", "text/html"}, sendsForm)
	if cross.want(http.StatusUnauthorized); strings.Contains(cross.body, "data-resubmit") {
		t.Error("a form of another site is offered to be sent again")
	}
	opened := v.get(tab, navigate).want(http.StatusFound)
	done := v.lands(v.form("confirm", "method", "totp", "code", f.code(), "return",
		wayOf(t, opened)).want(http.StatusSeeOther)).want(http.StatusOK)
	if !strings.Contains(done.body, "Confirmed") {
		t.Errorf("the second tab ends with %s", done.body)
	}
	if n := len(s.up.Seen()); n != 0 {
		t.Fatalf("the app got %d requests before", n)
	}
	v.do(http.MethodPost, "/orders", "n=7", submit).want(http.StatusOK)
	if got := s.up.Last(); got.Method != http.MethodPost || got.Body != "n=7" {
		t.Errorf("the app got %s %q", got.Method, got.Body)
	}
}

// What was proven too long ago is asked for again.
func TestFactorThatIsTooOldIsAskedForAgain(t *testing.T) {
	s := vaults.open(t)
	f := s.withTOTP("brief.test", "bea")
	v := s.browser("brief.test")
	v.tryForm("/.truxe/login", f.name, f.password).want(http.StatusSeeOther)
	v.second("method", "totp", "code", f.code()).want(http.StatusSeeOther)
	v.get("/x", fetch).want(http.StatusOK)
	time.Sleep(3500 * time.Millisecond)
	v.get("/x", fetch).problem(http.StatusUnauthorized, "step_up_required")
	asked := v.get("/x", navigate).want(http.StatusFound)
	v.lands(v.form("confirm", "method", "totp", "code", f.code(), "return",
		wayOf(t, asked)).want(http.StatusSeeOther)).want(http.StatusOK)
}

// R3: networks are judged by the connection; public pages of others need no sign-in, these do not open by one.
func TestSiteOfOneNetworkIsClosedToOthers(t *testing.T) {
	s := vaults.open(t)
	s.user("nell", piaPassword)
	for host, want := range map[string]int{"near.test": http.StatusOK, "far.test": http.StatusForbidden} {
		v := s.browser(host)
		v.signIn("nell", piaPassword)
		a := v.get("/x", fetch, []string{"X-Forwarded-For", "10.0.0.1"}).want(want)
		if want == http.StatusForbidden {
			a.problem(want, "network_denied")
		}
	}
	s.bare("far.test").get("/x", fetch).problem(http.StatusForbidden, "network_denied")
}

// MF-21 SE-02: with single sign-on the factor is proven at its host, and a ticket brings that to the session on the
// app's.
func TestStepUpAtTheSingleSignOnHostReachesTheApp(t *testing.T) {
	s := joint.open(t)
	f := s.withTOTP("auth.test", "sue")
	v := s.browser("plain.test")
	login := v.get("/", navigate).want(http.StatusFound)
	v.host = "auth.test"
	half := v.tryForm(login.header.Get("Location"), f.name, f.password).want(http.StatusSeeOther)
	way := wayOf(t, half)
	v.lands(v.form("mfa", "method", "totp", "code", f.code(), "return", way).want(http.StatusSeeOther)).want(http.StatusOK)
	v.host = "vault.test"
	v.lands(v.get("/deep?x=1", navigate)).want(http.StatusOK)
	time.Sleep(5500 * time.Millisecond)

	v.host = "vault.test"
	asked := v.get("/deep?x=2", navigate).want(http.StatusFound)
	if u, err := url.Parse(asked.header.Get("Location")); err != nil || u.Hostname() != "auth.test" ||
		u.Path != "/.truxe/confirm" {
		t.Fatalf("it leads to %s", asked.header.Get("Location"))
	}
	old := v.session()
	v.host = "auth.test"
	v.get(asked.header.Get("Location"), navigate).want(http.StatusOK)
	v.lands(v.form("confirm", "method", "totp", "code", f.code(), "return",
		wayOf(t, asked)).want(http.StatusSeeOther)).want(http.StatusOK)
	if got := s.up.Last(); got.Target != "/deep?x=2" {
		t.Errorf("the app got %s", got.Target)
	}
	v.host = "vault.test"
	if v.session() == old {
		t.Error("the session on the app's host kept its secret")
	}
}
