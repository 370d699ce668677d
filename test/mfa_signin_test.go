package test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

func basic(name, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
}

// MF-01 MF-02: Debian's oathtool, an implementation of others, signs in; its code works once.
func TestOathtoolSignsIn(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "olaf")
	now := time.Now().Unix()
	for now%step > step-4 { // oathtool takes a moment
		time.Sleep(time.Second)
		now = time.Now().Unix()
	}
	out, err := exec.Command("oathtool", "--totp", "--base32", f.key).Output()
	if err != nil {
		t.Fatal("oathtool (Debian package oathtool): ", err)
	}
	code := strings.TrimSpace(string(out))
	v := f.pending()
	v.second("method", "totp", "code", code[:3]+" "+code[3:]).want(http.StatusSeeOther) // as users paste it
	v.get("/", navigate).want(http.StatusOK)
	if amr := strings.Join(s.up.Last().Get("X-Truxe-Amr"), ","); !strings.Contains(amr, "otp") ||
		!strings.Contains(amr, "pwd") {
		t.Errorf("X-Truxe-Amr %q", amr)
	}
	f.complete(f.begin(), "totp", code).problem(http.StatusUnauthorized, "invalid_code")
}

// MF-02 MF-03: the codes of previous, current and next step are taken once each and in order; an older one is refused.
func TestCodesOfThreeStepsWorkOnceEach(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "nora") // with the code of the previous step
	for time.Now().Unix()%step > step-8 {
		time.Sleep(200 * time.Millisecond)
	}
	now := time.Now().Unix() / step
	f.complete(f.begin(), "totp", f.codeAt(now-2)).problem(http.StatusUnauthorized, "invalid_code")
	f.complete(f.begin(), "totp", f.codeAt(now+2)).problem(http.StatusUnauthorized, "invalid_code")
	f.complete(f.begin(), "totp", f.codeAt(f.last)).problem(http.StatusUnauthorized, "invalid_code") // that of the set-up
	for _, at := range []int64{now, now + 1} {
		if at <= f.last {
			continue
		}
		f.complete(f.begin(), "totp", f.codeAt(at)).want(http.StatusOK)
		p := f.complete(f.begin(), "totp", f.codeAt(at)).problem(http.StatusUnauthorized, "invalid_code")
		if !strings.Contains(p.Detail, "already used") {
			t.Errorf("a used code: %s", p.Detail)
		}
	}
	f.complete(f.begin(), "totp", f.codeAt(now)).problem(http.StatusUnauthorized, "invalid_code")
	f.last = now + 1
}

// MF-02 R5: of 50 racing uses of one code, over as many half sign-ins, one wins.
func TestOfRacingUsesOfACodeOneWins(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "rosa")
	const racers = 50
	halves := make([]half, 20) // no more than a person may have at once
	for i := range halves {
		halves[i] = f.begin()
	}
	code := f.code()
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range racers {
		wg.Go(func() {
			a, err := s.bare("app.test").comeAgain("POST", "/.truxe/api/v1/login/mfa",
				fmt.Sprintf(`{"mfa_token":%q,"method":"totp","code":%q}`, halves[i%len(halves)].Token, code), sendsJSON)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			statuses[a.status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if statuses[http.StatusOK] != 1 || statuses[http.StatusOK]+statuses[http.StatusUnauthorized] != racers {
		t.Errorf("answers: %v", statuses)
	}
}

// MF-04: what is no code of exactly six ASCII digits is refused with a clear code and words, at API and page, never a
// 500.
func TestWhatIsNoCodeIsRefusedClearly(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "quinn")
	h, page := f.begin(), f.pending()
	good := f.codeAt(f.last + 1)
	for name, code := range map[string]string{
		"empty": "", "7 digits": good + "0", "5 digits": good[:5], "Arabic digits": "١٢٣٤٥٦", "full width": "１２３４５６",
		"sign": "+" + good[:5], "letters": "abcdef",
		"a NUL": good + "\x00", "very long": strings.Repeat("1", 5000), "exponent": "1e5000", "markup": "<b>123",
		"Devanagari": "१२३४५६",
	} {
		if p := f.complete(h, "totp", code).problem(http.StatusUnauthorized, "invalid_code"); !strings.Contains(p.Detail,
			"6 digits") {
			t.Errorf("%s at the API: %s", name, p.Detail)
		}
		a := page.second("method", "totp", "code", code)
		if a.status != http.StatusUnauthorized || !strings.Contains(a.body, "There is a problem") ||
			strings.Contains(a.body, "<b>123") {
			t.Errorf("%s at the page: %d %.200s", name, a.status, a.body)
		}
	}
	// a program has no reason for these
	for _, inner := range []string{good[:3] + " " + good[3:], " " + good, good[:3] + "-" + good[3:]} {
		f.complete(h, "totp", inner).problem(http.StatusUnauthorized, "invalid_code")
	}
	v := s.bare("app.test")
	for name, body := range map[string]string{
		"number":         fmt.Sprintf(`{"mfa_token":%q,"method":"totp","code":123456}`, h.Token),
		"no method":      fmt.Sprintf(`{"mfa_token":%q,"code":"123456"}`, h.Token),
		"unknown method": fmt.Sprintf(`{"mfa_token":%q,"method":"sms","code":"123456"}`, h.Token),
		"unknown member": fmt.Sprintf(`{"mfa_token":%q,"method":"totp","code":"123456","x":1}`, h.Token),
		"password":       fmt.Sprintf(`{"mfa_token":%q,"method":"password","code":"123456"}`, h.Token), "null": "null",
		"list": "[]",
	} {
		if a := v.do("POST", "/.truxe/api/v1/login/mfa", body, sendsJSON); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for _, token := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 9000)} {
		f.complete(half{Token: token}, "totp", good).problem(http.StatusUnauthorized, "login_required")
	}
	f.complete(h, "totp", f.code()).want(http.StatusOK) // none of this cost a try
}

// MF-05: five codes a half sign-in, whoever sends them; then it is over, and the right code does not help.
func TestFiveWrongCodesEndTheSignIn(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "wanda")
	h, wrong := f.begin(), f.codeAt(1)
	for range 5 {
		f.complete(h, "totp", wrong).problem(http.StatusUnauthorized, "invalid_code")
	}
	f.complete(h, "totp", f.codeAt(f.last+1)).problem(http.StatusUnauthorized, "login_required")

	v := f.pending()
	for left := 4; left > 0; left-- {
		a := v.second("method", "totp", "code", wrong).want(http.StatusUnauthorized)
		if text := a.text(); !strings.Contains(text, "That code didn't match.") ||
			!strings.Contains(text, fmt.Sprintf("%d tr", left)) {
			t.Errorf("the page does not say that the code was wrong, or that %d tries are left: %.2600s", left, text)
		}
	}
	over := v.second("method", "totp", "code", wrong).want(http.StatusUnauthorized)
	if !strings.Contains(over.body, `name="password"`) || !strings.Contains(over.text(),
		"Too many wrong codes. Sign in again.") {
		t.Error("after the last try the page is not the first step, or does not say why")
	}
	v.get("/.truxe/mfa", navigate).want(http.StatusSeeOther, http.StatusFound)
	v.get("/", navigate).want(http.StatusFound)
}

// MF-10 MF-11: a recovery code in any spelling signs in once; how many are left is said; the code is no code elsewhere.
func TestRecoveryCodeWorksOnceInAnySpelling(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "petros")
	if len(f.recovery) != 10 {
		t.Fatalf("%d recovery codes", len(f.recovery))
	}
	code := f.rescue()
	typed := "  " + strings.ToLower(strings.ReplaceAll(code, "-", " ")) + " "
	v := f.pending()
	v.get("/.truxe/mfa?method=recovery_code", navigate).want(http.StatusOK)
	a := v.second("method", "recovery_code", "code", typed).want(http.StatusSeeOther)
	if page := v.get(a.header.Get("Location"), navigate).want(http.StatusOK); !strings.Contains(page.body,
		"9 recovery codes left") {
		t.Errorf("the page after a recovery code: %.400s", page.body)
	}
	v.get("/", navigate).want(http.StatusOK)

	again := f.pending()
	if a := again.second("method", "recovery_code", "code",
		code).want(http.StatusUnauthorized); !strings.Contains(a.text(),
		"That recovery code didn't match. Each code works once.") {
		t.Errorf("a used recovery code: %.300s", a.body)
	}
	f.complete(f.begin(), "recovery_code", code).problem(http.StatusUnauthorized, "invalid_code")
	for _, bad := range []string{"", "x", "ABCDE-FGHJK", strings.Repeat("A", 4000), "ÀÁÂÃÄ-ÅÆÇÈÉ-ÊËÌÍÎ-ÏÐÑÒÓ"} {
		f.complete(f.begin(), "recovery_code", bad).problem(http.StatusUnauthorized, "invalid_code")
	}
	var out struct {
		Left int `json:"recovery_codes_left"`
	}
	f.complete(f.begin(), "recovery_code", unspaced(strings.ToLower(f.rescue()))).want(http.StatusOK).json(&out)
	if out.Left != 8 {
		t.Errorf("%d codes are left", out.Left)
	}
	if log := s.cli("audit", "list", "-n", "500", "-o", "jsonl"); !strings.Contains(log, "authn_mfa_recovery_used") ||
		strings.Contains(log, code) {
		t.Error("the audit log does not tell of the recovery code, or tells it")
	}
}

// MF-09 UX: the way back and its fragment survive the second step; "Start over" ends it and keeps the way.
func TestWayBackSurvivesTheSecondStep(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "xenia")
	v := s.browser("app.test")
	login := v.get("/reports/7?tab=2", navigate).want(http.StatusFound).header.Get("Location")
	a := v.tryForm(login, f.name, f.password, "fragment", "row=9").want(http.StatusSeeOther)
	mfa := v.get(a.header.Get("Location"), navigate).want(http.StatusOK)
	for _, want := range []string{`autocomplete="one-time-code"`, "xenia", "Lost your device?",
		"Don&#39;t ask again on this device for 30 days"} {
		if !strings.Contains(mfa.body, want) && !strings.Contains(mfa.body, strings.ReplaceAll(want, "&#39;", "'")) {
			t.Errorf("the page lacks %q", want)
		}
	}
	id := wayBackField.FindStringSubmatch(mfa.body)[1]
	over := v.form("mfa", "action", "start_over", "return", id).want(http.StatusSeeOther)
	if to := over.header.Get("Location"); to != "/.truxe/login?r="+id {
		t.Errorf("starting over leads to %q", to)
	}
	v.form("mfa", "method", "totp", "code", f.codeAt(f.last+1)).want(http.StatusSeeOther)
	if v.session() != "" {
		t.Fatal("a code after starting over signed in")
	}
	v.tryForm("/.truxe/login?r="+id, f.name, f.password, "fragment", "row=9").want(http.StatusSeeOther)
	done := v.form("mfa", "method", "totp", "code", f.code(), "return", id).want(http.StatusSeeOther)
	last := v.get(done.header.Get("Location"), navigate).want(http.StatusOK)
	if refresh := last.header.Get("Refresh"); !strings.Contains(refresh, "/reports/7?tab=2#row=9") {
		t.Errorf("Refresh %q", refresh)
	}
}

// MF-22 63B 5.1: a trusted browser is not asked again, another one is; the owner ends the trust at any time.
func TestTrustedBrowserIsNotAskedUntilItsOwnerSaysSo(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "tilda")
	v := f.browser("trust", "on")
	signInAgain := func() string {
		t.Helper()
		v.form("logout").want(http.StatusSeeOther)
		return v.tryForm("/.truxe/login", f.name, f.password).want(http.StatusSeeOther).header.Get("Location")
	}
	if to := signInAgain(); !strings.HasPrefix(to, "/.truxe/continue") {
		t.Fatalf("a trusted browser is led to %s", to)
	}
	f.pending() // another browser is asked
	page := v.get("/.truxe/account/devices", navigate).want(http.StatusOK)
	if !strings.Contains(page.body, "story") && !strings.Contains(page.body, "This device") {
		t.Errorf("the page of trusted devices: %.600s", page.body)
	}
	v.form("account/devices", "revoke", "others").want(http.StatusSeeOther)
	if to := signInAgain(); !strings.HasPrefix(to, "/.truxe/mfa") {
		t.Errorf("after the trust has ended the browser is led to %s", to)
	}
}

// UX LK-10 R12: from the third wrong password on the page says how many tries are left before the pause, for names that
// no user has, too.
func TestFewTriesLeftAreSaidForUnknownNamesToo(t *testing.T) {
	s := tell(t, plot{sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	for _, name := range []string{"pia", "no user at all"} {
		v := s.browser("app.test")
		for try := 1; try <= 5; try++ {
			text := v.tryForm("/.truxe/login", name, "not this one").want(http.StatusUnauthorized).text()
			left := 5 - try
			said := strings.Contains(text, fmt.Sprintf("%d tries left before a 1-minute pause.", left)) ||
				strings.Contains(text, "1 try left before a 1-minute pause.")
			if said != (left == 1 || left == 2) {
				t.Errorf("%s, try %d: said %v: %.2600s", name, try, said, text)
			}
		}
		if text := v.tryForm("/.truxe/login", name,
			"not this one").want(http.StatusTooManyRequests).text(); !strings.Contains(text,
			"Too many tries. You can try again at") {
			t.Errorf("%s after five tries: %.2600s", name, text)
		}
	}
}
