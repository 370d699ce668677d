package test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Two gateways: one with the default limits per person, one that also limits an address to twelve.
var (
	limitSites = share(plot{options: "\t\trate_limit address 10000 5m",
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	addressSites = share(plot{options: "\t\trate_limit address 12 5m",
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
)

var (
	rateField   = regexp.MustCompile(`^"([a-z]+)";r=(\d+);t=(\d+)$`)
	policyField = regexp.MustCompile(`^"([a-z]+)";q=(\d+);w=(\d+)$`)
)

// limited checks the answer to a throttled try (LK-09, LK-10, LK-11).
func (a answer) limited(name string) {
	a.t.Helper()
	p := a.problem(429, "rate_limited")
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || wait < 1 || wait > 300 {
		a.t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	if len(p.Limits) != 1 || p.Limits[0] != name {
		a.t.Errorf("limits %q, want %s", p.Limits, name)
	}
	rate := rateField.FindStringSubmatch(a.header.Get("RateLimit"))
	policy := policyField.FindStringSubmatch(a.header.Get("RateLimit-Policy"))
	if rate == nil || policy == nil || rate[1] != name || policy[1] != name || rate[2] != "0" || policy[3] != "300" {
		a.t.Errorf("RateLimit %q, RateLimit-Policy %q", a.header.Get("RateLimit"), a.header.Get("RateLimit-Policy"))
	}
}

// LK-01, LK-02, LK-03, LK-09, LK-10, LK-11, CVE-2025-24806 five failures, whatever the spelling and the pathway, and
// then 429 for the right password too; other users are not concerned.
func TestFiveFailuresThrottleAllSpellingsOfAName(t *testing.T) {
	s := limitSites.open(t)
	s.user("stella", "amber skies above us", "member")
	token := s.login("app.test", "stella", "amber skies above us")
	spellings := []string{"stella", "STELLA", "stella@example.com", "\uff33\uff34\uff25\uff2c\uff2c\uff21",
		" Stella@EXAMPLE.com "}
	for i, name := range spellings {
		if i%2 == 0 {
			s.tryLogin(name, "not her password at all").problem(401, "invalid_credentials")
		} else {
			s.browser("app.test").tryForm("/.truxe/login", name, "not her password at all").want(401)
		}
	}
	for _, name := range append(spellings, "stella ") {
		s.tryLogin(name, "amber skies above us").limited("login")
	}
	a := s.browser("app.test").tryForm("/.truxe/login", "stella", "amber skies above us").want(429)
	if a.header.Get("Retry-After") == "" || a.header.Get("RateLimit") == "" || a.setsCookie("__Host-truxe") != "" {
		t.Errorf("the throttled form: %v", a.header)
	}
	s.withBearer("app.test", token.Access).api(http.MethodPost, "password/change",
		map[string]string{"current_password": "amber skies above us",
			"new_password": "emerald seas below us"}).limited("login")
	s.tryLogin("pia", piaPassword).want(200)
	s.withBearer("app.test", token.Access).get("/x", program).want(200) // who is signed in stays so
}

// LK-09 an unknown name is throttled alike: 429 gives no hint that there is an account.
func TestThrottleDoesNotTellWhoExists(t *testing.T) {
	s := limitSites.open(t)
	s.user("real", "sixteen tall windmills", "member")
	var answers []string
	for _, name := range []string{"real", "ghost"} {
		var codes []string
		for range 7 {
			a := s.tryLogin(name, "not the password at all")
			codes = append(codes, fmt.Sprint(a.status, " ", reference.ReplaceAllString(a.body, "")))
		}
		answers = append(answers, strings.Join(codes, ""))
	}
	if answers[0] != answers[1] {
		t.Errorf("real:\n%s\nghost:\n%s", answers[0], answers[1])
	}
}

// LK-05 a stranger cannot lock a person out: the browser they have used before still signs in.
func TestKnownDeviceSignsInWhileThrottled(t *testing.T) {
	s := limitSites.open(t)
	s.user("hugo", "brass trumpets at dawn", "member")
	home, away := s.browser("app.test"), s.browser("app.test")
	home.signIn("hugo", "brass trumpets at dawn")
	home.form("logout").want(303)
	for range 5 {
		s.tryLogin("hugo", "not his password at all").want(401)
	}
	away.tryForm("/.truxe/login", "hugo", "brass trumpets at dawn").want(429)
	home.signIn("hugo", "brass trumpets at dawn")
	home.get("/x", program).want(200)
	// The device of one person is no key to another.
	for range 5 {
		s.tryLogin("olaf", "not his password at all").want(401)
	}
	home.tryForm("/.truxe/login?switch=1", "olaf", "whatever it may be").want(429)
	// And a known device has a limit of its own.
	statuses := map[int]int{}
	for range 8 {
		statuses[home.tryForm("/.truxe/login?switch=1", "hugo", "not his password at all").status]++
	}
	if statuses[401] != 5 || statuses[429] != 3 {
		t.Errorf("eight failures of a known device: %v", statuses)
	}
}

// LK-06 of many tries at once no more than the limit are checked, so the right password among them may be refused, and
// five wrong ones are all that is learned.
func TestParallelTriesCannotPassTheLimit(t *testing.T) {
	s := limitSites.open(t)
	s.user("race", "horses on a long beach", "member")
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range 30 {
		v := s.bare("app.test")
		wg.Go(func() {
			a, err := v.try("POST", "/.truxe/api/v1/login",
				fmt.Sprintf(`{"username":"race","password":"guess number %d of many"}`, i), sendsJSON)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			statuses[a.status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if statuses[401] > 5 || statuses[401] == 0 || statuses[401]+statuses[429]+statuses[503] != 30 {
		t.Errorf("thirty tries at once: %v, want at most five checked", statuses)
	}
}

// LK-04, LK-07, CVE-2024-21494 one address that tries many names is limited, and no header makes it another address.
func TestAddressLimitIgnoresForwardedHeadersOfStrangers(t *testing.T) {
	s := addressSites.open(t)
	v := s.bare("app.test")
	headers := []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip",
		"X-Cluster-Client-Ip"}
	for i := range 12 {
		if i == 6 { // success refunds its unit (LK-13)
			s.tryLogin("pia", piaPassword).want(200)
		}
		value := fmt.Sprintf("203.0.113.%d", i)
		if headers[i%len(headers)] == "Forwarded" {
			value = "for=" + value
		}
		v.api("POST", "login", map[string]string{"username": fmt.Sprintf("name%d", i), "password": "x"},
			[]string{headers[i%len(headers)], value}).problem(401, "invalid_credentials")
	}
	for i, name := range headers {
		v.api("POST", "login", map[string]string{"username": fmt.Sprintf("more%d", i), "password": "x"},
			[]string{name, "198.51.100.9"}).limited("address")
	}
	if out := s.cli("audit", "list", "-n", "30", "-o", "jsonl"); strings.Contains(out, "203.0.113.") ||
		strings.Contains(out, "198.51.100.") || !strings.Contains(out, "127.0.0.1") {
		t.Errorf("the audit log believes the headers: %s", out)
	}
}

// PW-15 more sign-ins at once than the hashing pool takes: the excess is 503 `busy` with Retry-After, quickly, and the
// gateway goes on.
func TestTooManySignInsAtOnceAreBusy(t *testing.T) {
	s := tell(t, plot{
		options: "\t\trate_limit login 100000 5m\n\t\trate_limit address 100000 5m\n\t\tpassword {\n\t\t\thash bcrypt 12\n\t\t}",
		sites:   site("app.test", "\ttruxe {\n\t\tpublic /public/*\n\t}\n\treverse_proxy UPSTREAM"),
	})
	token := s.login("app.test", "pia", piaPassword)
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range 80 {
		v := s.bare("app.test")
		v.c.Timeout = 0
		wg.Go(func() {
			a, err := v.try("POST", "/.truxe/api/v1/login", fmt.Sprintf(`{"username":"n%d","password":"guess"}`, i), sendsJSON)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
			if a.status == 503 && (!strings.Contains(a.body, `"busy"`) || a.header.Get("Retry-After") == "") {
				t.Errorf("503 without code busy or Retry-After: %v %s", a.header, a.body)
			}
		})
	}
	s.withBearer("app.test", token.Access).get("/x", program).want(200) // requests are judged all the while
	s.bare("app.test").get("/public/x").want(200)
	wg.Wait()
	if statuses[503] == 0 || statuses[401] == 0 || statuses[401]+statuses[503] != 80 {
		t.Errorf("80 sign-ins at once: %v", statuses)
	}
	s.tryLogin("pia", piaPassword).want(200)
}
