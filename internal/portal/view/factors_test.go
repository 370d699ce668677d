package view_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

// field finds an input by its name.
func field(t *testing.T, page view.Page, name string) map[string]string {
	t.Helper()
	var found map[string]string
	each(parse(t, get(renderer(t, view.Brand{}), site, 200, page).Body.String()), func(n *html.Node) {
		if got, _ := attr(n, "name"); got == name && n.Data == "input" {
			found = map[string]string{}
			for _, a := range n.Attr {
				found[a.Key] = a.Val
			}
		}
	})
	return found
}

// PW-11 Code inputs are one box with one-time-code and a keypad of digits; nothing cuts what is pasted, spaces and
// dashes pass. Recovery codes are not offered by the browser. UX section 3, mfa.
func TestCodeFieldsTakeWhatPeoplePaste(t *testing.T) {
	for _, page := range []view.Page{
		view.MFA{Account: alice, Methods: []string{view.MethodTOTP}},
		view.TOTP{Viewer: alice, Key: exampleKey},
		view.TOTP{Viewer: alice, Key: exampleKey, Forced: true},
		view.Confirm{Viewer: alice, Methods: []string{view.MethodTOTP}},
	} {
		code := field(t, page, view.FieldCode)
		if code["type"] != "text" || code["inputmode"] != "numeric" || code["autocomplete"] != "one-time-code" {
			t.Errorf("%T: %v", page, code)
		}
		if _, cut := code["maxlength"]; cut {
			t.Errorf("%T cuts", page)
		}
		pattern := regexp.MustCompile("^(?:" + code["pattern"] + ")$")
		for typed, ok := range map[string]bool{"123456": true, "123 456": true, "123-456": true, "12345a": false,
			"١٢٣٤٥٦": false} {
			if pattern.MatchString(typed) != ok {
				t.Errorf("%T: %q passes: %v", page, typed, !ok)
			}
		}
	}
	recovery := field(t, view.MFA{Account: alice, Methods: []string{view.MethodRecovery}}, view.FieldCode)
	if recovery["autocomplete"] != "off" || recovery["pattern"] != "" || recovery["inputmode"] != "" {
		t.Errorf("recovery code: %v", recovery)
	}
}

// Only what this person has is offered; an unknown name in ?method= shows the best one.
func TestMethodChooserOffersWhatIsThere(t *testing.T) {
	r := renderer(t, view.Brand{})
	for _, c := range []struct {
		page         view.MFA
		shown        string
		offered, not []string
	}{
		{view.MFA{Methods: []string{"passkey", "totp", "recovery_code"}}, "passkey",
			[]string{"method=totp", "method=recovery_code"}, []string{"method=passkey"}},
		{view.MFA{Methods: []string{"passkey", "totp", "recovery_code"}, Method: "totp"}, "totp",
			[]string{"method=passkey", "method=recovery_code"}, []string{"method=totp"}},
		{view.MFA{Methods: []string{"totp"}, Method: "passkey"}, "totp", nil, []string{"?method=", "Try another way"}},
		{view.MFA{Methods: []string{"totp", "sms"}, Method: "sms"}, "totp", nil, []string{"?method=", "sms"}},
		{view.MFA{Methods: []string{"totp", "recovery_code"}, Method: "recovery_code"}, "recovery_code",
			[]string{"method=totp"}, []string{"Lost your device"}},
	} {
		c.page.Account = alice
		body := get(r, site, 200, c.page).Body.String()
		if got := field(t, c.page, view.FieldMethod)["value"]; got != c.shown {
			t.Errorf("%v %s: shows %q", c.page.Methods, c.page.Method, got)
		}
		for _, want := range c.offered {
			if !strings.Contains(body, want) {
				t.Errorf("%v %s does not offer %s", c.page.Methods, c.page.Method, want)
			}
		}
		for _, not := range c.not {
			if strings.Contains(body, not) {
				t.Errorf("%v %s offers %s", c.page.Methods, c.page.Method, not)
			}
		}
	}
}

// The drawn code is the given one, dark on white with the margin readers need, module by module.
func TestQRCodeIsDrawnAsGiven(t *testing.T) {
	body := get(renderer(t, view.Brand{}), site, 200, view.TOTP{Viewer: alice, Key: exampleKey,
		QR: qrModules()}).Body.String()
	size := len(qrRows)
	if !strings.Contains(body, `viewBox="0 0 `+strconv.Itoa(size+8)+" "+strconv.Itoa(size+8)+`"`) ||
		!strings.Contains(body, `role="img" aria-label="QR code for your authenticator app"`) {
		t.Error("no picture with a margin and a label")
	}
	drawn := make([][]byte, size)
	for y := range drawn {
		drawn[y] = []byte(strings.Repeat(".", size))
	}
	path := regexp.MustCompile(`fill="#000" d="([^"]+)"`).FindStringSubmatch(body)
	if path == nil {
		t.Fatal("nothing is drawn")
	}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(path[1], -1) {
		var n [5]int
		for i := 1; i < 5; i++ {
			n[i], _ = strconv.Atoi(m[i])
		}
		if n[3] != n[4] {
			t.Fatalf("%s is no rectangle", m[0])
		}
		for x := range n[3] {
			drawn[n[2]-4][n[1]-4+x] = '#'
		}
	}
	for y, row := range qrRows {
		if string(drawn[y]) != row {
			t.Errorf("row %d is %s, not %s", y, drawn[y], row)
		}
	}
	for _, none := range [][][]bool{nil, {}, make([][]bool, 500)} {
		if strings.Contains(get(renderer(t, view.Brand{}), site, 200,
			view.TOTP{Viewer: alice, Key: exampleKey, QR: none}).Body.String(), `class="qr"`) {
			t.Errorf("%d rows are drawn", len(none))
		}
	}
}

// MF-06 The secret is on the set-up page alone, in an answer that is not stored; an enrolled app's page shows neither
// key nor picture. CS-11 The link opens authenticator apps and nothing else.
func TestSecretIsShownWhileSettingUpOnly(t *testing.T) {
	r := renderer(t, view.Brand{})
	page := view.TOTP{Viewer: alice, Key: exampleKey, URI: exampleURI, QR: qrModules()}
	w := get(r, site, 200, page)
	body := w.Body.String()
	if !strings.Contains(body, "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP") ||
		!strings.Contains(body, `href="otpauth://totp/Truxe:alice@example.com?secret=`+exampleKey) ||
		!strings.Contains(body, `class="qr"`) || w.Header().Get("Cache-Control") != "no-store" {
		t.Error("control: key, link or picture missing")
	}
	page.Added = now
	if body := get(r, site, 200, page).Body.String(); strings.Contains(body, "JBSW") ||
		strings.Contains(body, "otpauth") || strings.Contains(body, `class="qr"`) {
		t.Error("an enrolled app's page shows the secret")
	}
	for _, uri := range []string{"javascript:alert(1)", "https://evil.example/", "otpauth://hotp/x", " otpauth://totp/x",
		"otpauth:javascript"} {
		if strings.Contains(get(r, site, 200, view.TOTP{Viewer: alice, Key: exampleKey, URI: uri}).Body.String(),
			"Open in your app") {
			t.Errorf("%q is a link", uri)
		}
	}
}

// MF-10 New codes are on the page as text, never in a hidden field or a link that would carry them on; later visits
// have none.
func TestRecoveryCodesAreTextOnly(t *testing.T) {
	r := renderer(t, view.Brand{})
	seen := map[string]int{}
	doc := parse(t, get(r, site, 200, view.RecoveryCodes{Viewer: alice, Codes: exampleCodes, Left: 10}).Body.String())
	each(doc, func(n *html.Node) {
		for _, a := range n.Attr {
			for _, code := range exampleCodes {
				if strings.Contains(a.Val, code) {
					t.Errorf("<%s %s> holds a code", n.Data, a.Key)
				}
			}
		}
		if n.Data == "code" && n.FirstChild != nil {
			seen[n.FirstChild.Data]++
		}
	})
	for _, code := range exampleCodes {
		if seen[code] != 1 {
			t.Errorf("%s is shown %d times", code, seen[code])
		}
	}
	if body := get(r, site, 200, view.RecoveryCodes{Viewer: alice, Made: now,
		Left: 8}).Body.String(); !strings.Contains(body, "8 codes left") || strings.Contains(body, "<ol") {
		t.Error("a later visit is not only a number")
	}
}

// UX section 4, 6: the file equals the page; a name cannot add lines; it is not stored.
func TestRecoveryFileEqualsThePage(t *testing.T) {
	r := renderer(t, view.Brand{Name: "Example"})
	w := httptest.NewRecorder()
	r.RecoveryFile(w, httptest.NewRequest(http.MethodPost, site, nil),
		view.RecoveryCodes{Viewer: view.Viewer{Username: "ali\r\nce"}, Codes: exampleCodes, Made: now,
			Host: "auth.example.com"})
	h := w.Header()
	if h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("Cache-Control") != "no-store" ||
		h.Get("X-Content-Type-Options") != "nosniff" ||
		h.Get("Content-Disposition") != `attachment; filename="recovery-codes.txt"` {
		t.Errorf("headers %v", h)
	}
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\r\n")
	if len(lines) != 3+1+10+1+2 || lines[0] != "Recovery codes for Example, alice" ||
		lines[1] != "https://auth.example.com" || lines[2] != "2026-11-23 14:05 UTC" {
		t.Fatalf("file %q", lines)
	}
	for i, code := range exampleCodes {
		if !strings.HasSuffix(lines[4+i], code) {
			t.Errorf("line %q has not %s", lines[4+i], code)
		}
	}
}

// MF-11 When few codes are left the pages say so and offer new ones.
func TestFewCodesAreAWarning(t *testing.T) {
	r := renderer(t, view.Brand{})
	for _, left := range []int{0, 1, 3, 4, 10} {
		for _, page := range []view.Page{
			view.RecoveryUsed{Viewer: alice, Left: left},
			view.Account{Viewer: alice, Factors: &view.Factors{Passkeys: 1, RecoveryLeft: left, RecoveryMade: now}},
			view.RecoveryCodes{Viewer: alice, Made: now, Left: left},
		} {
			body := get(r, site, 200, page).Body.String()
			if warned := strings.Contains(body, "Make a new set") ||
				strings.Contains(body, "Time for a new set"); warned != (left <= 3) {
				t.Errorf("%T with %d: warned %v", page, left, warned)
			}
		}
	}
}

// Every event of the audit log that concerns a person has words on the page of recent activity.
func TestEveryEventOfAPersonHasWords(t *testing.T) {
	r := renderer(t, view.Brand{})
	for name := range audit.Vocabulary {
		if !regexp.MustCompile("^(authn|authz|privilege|session|user)_").MatchString(name) {
			continue
		}
		for _, outcome := range []string{"success", "failure"} {
			body := get(r, site, 200, view.Activity{Viewer: alice,
				Events: []view.Event{{Name: name, Outcome: outcome, Time: now}}}).Body.String()
			if strings.Contains(body, ">"+name+"<") {
				t.Errorf("%s has no words", name)
			}
		}
	}
	if body := get(r, site, 200, view.Activity{Viewer: alice,
		Events: []view.Event{{Name: "no_such", Time: now}}}).Body.String(); !strings.Contains(body, ">no_such<") {
		t.Error("control: an unknown event is not shown by its name")
	}
}
