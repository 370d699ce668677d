package test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// equalSites has limits so high that they never answer: what is left is the answer of the password check.
var equalSites = share(plot{
	options: "\t\trate_limit login 100000 5m\n\t\trate_limit address 100000 5m",
	sites:   site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
})

func (s *story) tryLogin(username, password string) answer {
	s.t.Helper()
	return s.bare("app.test").api(http.MethodPost, "login", map[string]string{"username": username, "password": password})
}

// lockPassword is that of `lock`, a user who has reached the hard ceiling of a hundred failures in a row (LK-01), and
// whom one browser knows.
const lockPassword = "winter pears and thunder"

var lockOnce sync.Once
var lockKnown *visitor

func (s *story) lockedOut() (known *visitor) {
	s.t.Helper()
	lockOnce.Do(func() {
		s.user("lock", lockPassword, "member")
		s.user("dana", "no ship sails past midnight", "member")
		s.cli("users", "disable", "dana")
		lockKnown = s.browser("app.test")
		lockKnown.signIn("lock", lockPassword)
		for range 100 {
			s.tryLogin("lock", "wrong again and again").want(401)
		}
	})
	return lockKnown
}

// PW-16 unknown, wrong, disabled and locked are one answer: status, headers and body, at the form and in the API.
func TestUnknownWrongDisabledAndLockedAreOneAnswer(t *testing.T) {
	s := equalSites.open(t)
	s.lockedOut()
	classes := map[string][2]string{
		"unknown": {"nobody", lockPassword}, "wrong": {"pia", lockPassword},
		"disabled": {"dana", "no ship sails past midnight"}, "locked": {"lock", lockPassword},
		"no name": {"", "x"}, "odd name": {"a\x00b\u202e", "x"}, "long name": {strings.Repeat("n", 5000), "x"},
		"no password": {"pia", ""}, "long password": {"pia", strings.Repeat("x", 5000)},
	}
	seen := func(a answer) string {
		h := a.header.Clone()
		for _, name := range []string{"Date", "Set-Cookie", "Content-Length", "Alt-Svc"} {
			h.Del(name)
		}
		return fmt.Sprintf("%d %v %s", a.status, h, reference.ReplaceAllString(a.body, "REFERENCE"))
	}
	var api, form string
	for name, c := range classes {
		a := s.tryLogin(c[0], c[1])
		a.problem(401, "invalid_credentials")
		if got := seen(a); api == "" {
			api = got
		} else if got != api {
			t.Errorf("%s in the API:\n%s\nwant as for the others:\n%s", name, got, api)
		}
		a = s.browser("app.test").tryForm("/.truxe/login", c[0], c[1]).want(401)
		if strings.Contains(name, "name") {
			continue // the form repeats the name
		}
		got := strings.ReplaceAll(seen(a), `value="`+c[0]+`"`, `value="NAME"`)
		if form == "" {
			form = got
		} else if got != form {
			t.Errorf("%s at the form:\n%s\nwant as for the others:\n%s", name, got, form)
		}
	}
	s.tryLogin("pia", piaPassword).want(200) // the accept control
}

// PW-16 and they take the same time: Kolmogorov-Smirnov against "wrong" at p > 0.001. The full size (2,000 tries,
// p > 0.01) is a measure, not a test; CVE-2026-23511 was a factor of ten.
func TestRefusedSignInsTakeTheSameTime(t *testing.T) {
	s := equalSites.open(t)
	s.lockedOut()
	classes := map[string][2]string{"wrong": {"pia", "not the password at all"},
		"unknown":  {"nobody", "not the password at all"},
		"disabled": {"dana", "no ship sails past midnight"}, "locked": {"lock", lockPassword}}
	v := s.bare("app.test") // one connection for all
	took := map[string][]float64{}
	const tries = 60
	for range tries {
		for name, c := range classes { // in random order, so that what else the machine does meets all alike
			start := time.Now()
			v.api(http.MethodPost, "login", map[string]string{"username": c[0], "password": c[1]}).want(401)
			took[name] = append(took[name], time.Since(start).Seconds())
		}
	}
	for name := range classes {
		if name == "wrong" {
			continue
		}
		d, p := kolmogorovSmirnov(took["wrong"], took[name])
		t.Logf("%s: median %.1f ms against %.1f ms, D = %.3f, p = %.4f", name, 1000*median(took[name]),
			1000*median(took["wrong"]), d, p)
		if p <= 0.001 {
			t.Errorf("%s can be told from wrong by its time: p = %.5f", name, p)
		}
	}
}

// LK-01, LK-05 after a hundred failures in a row the right password is refused, except in the browser that knows the
// person; a sign-in there ends it.
func TestHardCeilingSparesTheKnownBrowser(t *testing.T) {
	s := equalSites.open(t)
	known := s.lockedOut()
	s.tryLogin("lock", lockPassword).problem(401, "invalid_credentials")
	s.browser("app.test").tryForm("/.truxe/login", "lock", lockPassword).want(401)
	known.tryForm("/.truxe/login?switch=1", "lock", lockPassword).want(303)
	s.tryLogin("lock", lockPassword).want(200)
}

// kolmogorovSmirnov compares two samples: the greatest distance of their distributions, and how likely it is by chance.
func kolmogorovSmirnov(a, b []float64) (d, p float64) {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if x := min(a[i], b[j]); x == a[i] && x == b[j] {
			i, j = i+1, j+1
		} else if x == a[i] {
			i++
		} else {
			j++
		}
		d = max(d, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	n := math.Sqrt(float64(len(a)*len(b)) / float64(len(a)+len(b)))
	x := (n + 0.12 + 0.11/n) * d
	for k := 1; k < 100; k++ {
		sign := 2.0
		if k%2 == 0 {
			sign = -2
		}
		p += sign * math.Exp(-2*float64(k*k)*x*x)
	}
	return d, min(max(p, 0), 1)
}

func median(x []float64) float64 { return slices.Sorted(slices.Values(x))[len(x)/2] }

// The measure itself finds what it is to find.
func TestKolmogorovSmirnovTellsSamplesApart(t *testing.T) {
	var same, later, again []float64
	for i := range 60 {
		same = append(same, float64(i*37%60))
		again = append(again, float64(i*7%60)+0.5)
		later = append(later, float64(i)+40)
	}
	if _, p := kolmogorovSmirnov(same, again); p < 0.5 {
		t.Errorf("equal samples: p = %v", p)
	}
	if _, p := kolmogorovSmirnov(same, later); p > 0.001 {
		t.Errorf("samples apart: p = %v", p)
	}
}

// PW-02, PW-03, PW-04, PW-05 long passwords, NUL and both Unicode spellings are verified whole.
func TestPasswordsAreVerifiedWhole(t *testing.T) {
	s := equalSites.open(t)
	long := strings.Repeat("grey mountains and ", 4)[:72]
	// 128 characters each, and no repeats, which are refused (PW-07)
	sentence := ("eight brave sailors knotted old nets by lamplight while the harbour master counted gulls and wrote their number into a green ledger")[:128]
	zoo := ""
	for r := '\U0001F400'; len(zoo) < 512; r++ {
		zoo += string(r)
	}
	for i, c := range []struct {
		name, password string
		also, not      []string
	}{
		{name: "72 bytes and more", password: long + "summer",
			not: []string{long, long + "winter", long + "summe", long + "summer1"}},
		{name: "128 code points", password: sentence, not: []string{sentence[:120], sentence[:127]}},
		{name: "512 bytes", password: zoo, not: []string{zoo[:508]}},
		{name: "NUL inside", password: "before the nul\x00after the nul",
			not: []string{"before the nul", "before the nul\x00", "before the nul\x00other the nul",
				"before the nulafter the nul"}},
		{name: "NFC", password: "caf\u00e9 \u00fcber den Wolken", also: []string{"cafe\u0301 u\u0308ber den Wolken"},
			not: []string{"cafe uber den Wolken"}},
		{name: "NFD", password: "cafe\u0301 u\u0308ber die Berge", also: []string{"caf\u00e9 \u00fcber die Berge"},
			not: []string{"cafe uber die Berge"}},
		{name: "spaces kept", password: "  two before, two after  ",
			not: []string{"two before, two after", " two before, two after "}},
		{name: "15 code points of 4 bytes",
			password: "\U0001F40C\U0001F33F\U0001F344\U0001F30A\U0001F3B2\U0001F3BB\U0001F50B\U0001F511\U0001F4D0\U0001F6B2\U0001F9F6\U0001FA81\U0001F9ED\U0001F9CA\U0001F955", not: []string{"\U0001F40C"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			user := fmt.Sprintf("whole%d", i)
			out, code := s.setPassword(user, c.password)
			if code != 200 {
				t.Fatalf("the password was refused: %s", out)
			}
			for _, password := range append(c.also, c.password) {
				s.tryLogin(user, password).want(200)
			}
			for _, password := range c.not {
				s.tryLogin(user, password).problem(401, "invalid_credentials")
			}
		})
	}
}

// setPassword creates a user and changes their password to one that a pipe could not carry.
func (s *story) setPassword(user, password string) (string, int) {
	s.t.Helper()
	const first = "a first secret to be changed"
	s.user(user, first, "member")
	token := s.login("app.test", user, first)
	a := s.withBearer("app.test", token.Access).api(http.MethodPost, "password/change",
		map[string]string{"current_password": first, "new_password": password})
	if a.status == http.StatusNoContent {
		return "", 200
	}
	return a.body, a.status
}

// PW-01, PW-06, PW-07, PW-08 a new password is refused for being short, listed or made of names, with the reason, and
// for nothing else; on the command line and in the API alike.
func TestWeakPasswordsAreRefusedWithTheReason(t *testing.T) {
	s := equalSites.open(t)
	s.user("clara", "a first secret to be changed", "member")
	token := s.login("app.test", "clara", "a first secret to be changed")
	change := func(password string) answer {
		return s.withBearer("app.test", token.Access).api(http.MethodPost, "password/change",
			map[string]string{"current_password": "a first secret to be changed", "new_password": password})
	}
	for name, password := range map[string]string{
		"14 characters":  "fourteen chars",
		"repeats":        "aaaaaaaaaaaaaaaa",
		"repeated word":  "abcabcabcabcabcabc",
		"keyboard walk":  "qwertyuiopasdfghjkl",
		"digits":         "1234567890123456",
		"joined words":   "passwordpassword",
		"listed":         "iloveyouiloveyou",
		"user name":      "clara clara clara",
		"mail address":   "clara@example.com",
		"129 characters": strings.Repeat("ab1 ", 32) + "x",
	} {
		p := change(password).problem(422, "password_refused")
		if len(p.Detail) < 10 || strings.Contains(p.Detail, password) {
			t.Errorf("%s: the reason is %q", name, p.Detail)
		}
		out, code := s.addUser("weak", strings.ReplaceAll(password, "clara", "weak"))
		if code != 1 || !strings.Contains(strings.ToLower(out), "password") || strings.Contains(out, password) {
			t.Errorf("%s on the command line: exit %d: %s", name, code, out)
		}
	}
	for name, password := range map[string]string{"15 characters": "violet gate key",
		"no digits or capitals": "lanterns over the quiet bay"} {
		if out, code := s.addUser("fine"+password[:1], password); code != 0 {
			t.Errorf("%s: %s", name, out)
		}
	}
	change("lanterns over the quiet bay").want(204)
}
