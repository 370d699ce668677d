package test

import (
	"net/http"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// factor is a person with an authenticator app, as their phone knows it.
type factor struct {
	s              *story
	host           string
	name, password string
	key            string
	last           int64    // last step whose code was used
	recovery       []string // unused recovery codes
}

const step = 30 // seconds

// withTOTP creates a user who has set up an authenticator app at the API. The code of the set-up is that of the
// previous step, so that two more are there at once.
func (s *story) withTOTP(host, name string, roles ...string) *factor {
	s.t.Helper()
	f := &factor{s: s, host: host, name: name, password: "copper kettles in the rain"}
	s.user(name, f.password, roles...)
	f.enrol(s.withBearer(host, s.login(host, name, f.password).Access))
	return f
}

// enrol sets the app up for a signed-in user.
func (f *factor) enrol(v *visitor) {
	f.s.t.Helper()
	var setup struct{ Secret, OTPAuth string }
	v.api("POST", "mfa/totp", nil).want(http.StatusOK).json(&setup)
	f.key, f.last = setup.Secret, 0
	var out struct {
		Codes []string `json:"recovery_codes"`
	}
	v.api("POST", "mfa/totp/confirm", map[string]string{"code": f.code()}).want(http.StatusOK).json(&out)
	if len(out.Codes) > 0 {
		f.recovery = out.Codes
	}
}

// codeAt is the app's code of a step.
func (f *factor) codeAt(step64 int64) string {
	f.s.t.Helper()
	code, err := totp.GenerateCodeCustom(f.key, time.Unix(step64*step, 0),
		totp.ValidateOpts{Period: step, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		f.s.t.Fatal(err)
	}
	return code
}

// code is a code that was not used yet: of the previous, the current or the next step, else it waits for the next.
func (f *factor) code() string {
	f.s.t.Helper()
	for {
		now := time.Now().Unix()
		if now%step < step-1 { // the gateway must look within the same step
			if next := max(f.last+1, now/step-1); next <= now/step+1 {
				f.last = next
				return f.codeAt(next)
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// rescue is a recovery code that was not used yet.
func (f *factor) rescue() string {
	f.s.t.Helper()
	if len(f.recovery) == 0 {
		f.s.t.Fatal("no recovery code is left")
	}
	code := f.recovery[0]
	f.recovery = f.recovery[1:]
	return code
}

// half is an API answer that asks for the second step.
type half struct {
	Status    string   `json:"status"`
	Token     string   `json:"mfa_token"`
	Methods   []string `json:"methods"`
	Enrol     []string `json:"enrol"`
	EnrolURL  string   `json:"enrol_url"`
	ExpiresIn int      `json:"expires_in"`
}

// begin takes the first step at the API.
func (f *factor) begin() half {
	f.s.t.Helper()
	a := f.s.bare(f.host).api("POST", "login", map[string]string{"username": f.name,
		"password": f.password}).want(http.StatusOK)
	var h half
	a.json(&h)
	if h.Status != "mfa_required" || h.Token == "" || h.ExpiresIn < 1 || h.ExpiresIn > 300 ||
		strings.Contains(a.body, "access_token") || strings.Contains(a.body, "refresh") {
		f.s.t.Fatalf("login with a second factor: %s", a.body)
	}
	return h
}

// complete takes the second step at the API.
func (f *factor) complete(h half, method, code string) answer {
	f.s.t.Helper()
	return f.s.bare(f.host).api("POST", "login/mfa", map[string]string{"mfa_token": h.Token, "method": method,
		"code": code})
}

// login is a whole sign-in at the API.
func (f *factor) login() tokens {
	f.s.t.Helper()
	var out tokens
	f.complete(f.begin(), "totp", f.code()).want(http.StatusOK).json(&out)
	if out.Status != "authenticated" || out.Access == "" || out.User.Username != f.name {
		f.s.t.Fatalf("login: %+v", out)
	}
	return out
}

// pending is a browser whose password was right and whose second step is due.
func (f *factor) pending() *visitor {
	f.s.t.Helper()
	v := f.s.browser(f.host)
	a := v.tryForm("/.truxe/login", f.name, f.password).want(http.StatusSeeOther)
	if to := a.header.Get("Location"); !strings.HasPrefix(to, "/.truxe/mfa?") || v.session() != "" {
		f.s.t.Fatalf("after the password: %s, session %q", to, v.session())
	}
	return v
}

// browser is a browser that is signed in with a code.
func (f *factor) browser(more ...string) *visitor {
	f.s.t.Helper()
	v := f.pending()
	v.second(append([]string{"method", "totp", "code", f.code()}, more...)...).want(http.StatusSeeOther)
	v.get("/", navigate).want(http.StatusOK)
	return v
}

// second opens the page of the second step and sends its form.
func (v *visitor) second(fields ...string) answer {
	v.s.t.Helper()
	page := v.get("/.truxe/mfa", navigate).want(http.StatusOK)
	if m := wayBackField.FindStringSubmatch(page.body); m != nil && m[1] != "" {
		fields = append(fields, "return", m[1])
	}
	return v.form("mfa", fields...)
}

// sameOrigin is what a browser sends along with a script's request of our own page.
func (v *visitor) sameOrigin() []string {
	return []string{"Origin", "https://" + v.host, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors",
		"Sec-Fetch-Dest", "empty"}
}

// unspaced drops what users and pages put between digits.
func unspaced(s string) string { return strings.NewReplacer(" ", "", "-", "").Replace(s) }
