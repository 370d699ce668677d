package test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// UX section 3, profile; MF-13, SE-19, AU-03: one's own data as a file: for a fresh factor, at the API and on the page,
// with nothing in it that signs in, and nothing of where others were. The download is in the log. Recent requests are
// in it.
func TestOwnDataIsDownloaded(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "edda", "member")
	v := f.browser("trust", "on")
	s.stale(f.name)
	v.api("GET", "account/export", nil).problem(http.StatusUnauthorized, "step_up_required")
	asks := v.form("account/profile", "action", "export").want(http.StatusSeeOther)
	if to := asks.header.Get("Location"); to != "/.truxe/confirm?for=export" {
		t.Fatalf("the page leads to %s", to)
	}
	v.api("POST", "confirm", map[string]string{"method": "totp", "code": f.code()}, v.sameOrigin()).want(http.StatusOK)
	v.get("/read/of/late", program).want(http.StatusOK)
	rig.WaitFor(t, 10*time.Second, "the request in the export", func() bool {
		return strings.Contains(v.api("GET", "account/export", nil).body, "/read/of/late")
	})
	fromPage := v.form("account/profile", "action", "export").want(http.StatusOK)
	fromAPI := v.api("GET", "account/export", nil).want(http.StatusOK)
	type file struct {
		Profile struct{ Username, Email, Name string }
		Factors struct {
			TOTP string `json:"totp_added"`
			Left int    `json:"recovery_codes_left"`
		}
		Sessions []struct {
			IP      string
			Current bool
		}
		Devices []struct {
			Trusted string `json:"trusted_until"`
			Current bool
		}
		Activity []struct {
			Event, IP string
			ByOther   bool `json:"by_somebody_else"`
		}
		Requests []struct {
			Path, Host string
			Allowed    bool
		}
		More *bool `json:"older_activity"`
	}
	for _, a := range []answer{fromPage, fromAPI} {
		if got := [3]string{a.header.Get("Content-Type"), a.header.Get("Content-Disposition"),
			a.header.Get("Cache-Control")}; got != [3]string{"application/json", `attachment; filename="my-data.json"`,
			"no-store"} {
			t.Errorf("headers %q", got)
		}
		var got file
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
		if got.Profile.Username != f.name || got.Profile.Email != f.name+"@example.com" || got.Profile.Name != "Edda" ||
			got.Factors.TOTP == "" || got.Factors.Left != 10 ||
			len(got.Sessions) == 0 || len(got.Devices) != 1 || got.Devices[0].Trusted == "" || !got.Devices[0].Current ||
			got.More == nil || *got.More {
			t.Errorf("%+v\n%s", got, a.body)
		}
		read := false // "/" of the sign-in is there too when it was recorded before the gateway was stopped
		for _, r := range got.Requests {
			if r.Host != "app.test" || !r.Allowed || r.Path != "/" && r.Path != "/read/of/late" {
				t.Errorf("request %+v", r)
			}
			read = read || r.Path == "/read/of/late"
		}
		if !read {
			t.Errorf("requests %+v", got.Requests)
		}
		seen := map[string]bool{}
		for _, e := range got.Activity {
			seen[e.Event] = true
			if e.ByOther != (e.Event == "user_created") { // by the command line
				t.Errorf("%s by another user: %v", e.Event, e.ByOther)
			}
		}
		for _, want := range []string{"user_created", "authn_mfa_enabled", "authn_login_success", "user_exported"} {
			if !seen[want] {
				t.Errorf("the activity has no %s", want)
			}
		}
		for what, secret := range map[string]string{"key": f.key, "code": f.recovery[0], "password": f.password, "hash": "$2",
			"session": v.session(), "flow": v.inJar("__Host-truxe-flow"),
			"device": v.inJar("__Host-truxe-device"), "another person": "pia"} {
			if secret == "" || strings.Contains(a.body, secret) {
				t.Errorf("the file has the %s (%q)", what, secret)
			}
		}
	}
	s.bare("app.test").api("GET", "account/export", nil).problem(http.StatusUnauthorized, "login_required")
}
