package web

import (
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

// MF-04: only six ASCII digits are a code; what users paste around them is let through by pages and refused by the
// API.
func TestWhatCanBeACode(t *testing.T) {
	for _, good := range []string{"123456", " 123 456 ", "123-456"} {
		if err := TypedCode(view.MethodTOTP, good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", " ", "12345", "1234567", "١٢٣٤٥٦", "１２３４５６", "+12345", "12345a", "123456\x00",
		strings.Repeat("1", 1<<16), "123\u00a0456"} {
		if err := TypedCode(view.MethodTOTP, bad); identity.CodeOf(err) != identity.CodeInvalidCode {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	for _, bad := range []string{"123 456", "123-456", " 123456", "", "1234567"} {
		if ExactCode(identity.MethodTOTP, bad) == nil {
			t.Errorf("the API takes %q", bad)
		}
	}
	if TypedCode(view.MethodRecovery, "abcde-fghjk") != nil || TypedCode(view.MethodRecovery, " ") == nil {
		t.Error("a recovery code is judged by its digits, or an empty one is not")
	}
}

// MF-04 MF-19: nothing that is typed or sent panics, and what pages take is what the API takes but for spaces and
// dashes.
func FuzzTypedCode(f *testing.F) {
	for _, s := range []string{"123456", "123 456", "１２３４５６", "-1", "", "\x00\xff", "1e5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		page, program := TypedCode(view.MethodTOTP, s) == nil, ExactCode(identity.MethodTOTP, s) == nil
		if program && !page {
			t.Fatalf("the API takes %q, the page does not", s)
		}
		if digits := strings.NewReplacer(" ", "", "-", "").Replace(strings.TrimSpace(s)); page && !sixDigits(digits) {
			t.Fatalf("the page takes %q", s)
		}
	})
}

// MF-19 AP-03: of a browser's answer members that we do not know are let through; what two parsers could read in two
// ways is refused, and nothing panics.
func FuzzPasskeyAnswer(f *testing.F) {
	for _, s := range []string{`{"id":"x","type":"public-key","response":{"clientDataJSON":"e30"}}`,
		`{"id":"x","id":"y","type":"public-key","response":{"a":1}}`, `{}`, `[]`, `{"response":`,
		`{"id":"x","type":"public-key","response":{"a":1},"new":{"deep":[1,2]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer, err := PasskeyAnswer(raw)
		if err != nil {
			if identity.CodeOf(err) != identity.CodeInvalidRequest || answer != nil {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if len(answer) > maxPasskeyAnswer || !strings.Contains(string(answer), "public-key") &&
			!strings.Contains(string(answer), `\u`) {
			t.Fatalf("%q is taken", raw)
		}
	})
}

// CS-06: what a page that asks for a factor is told in its URL is the name of an action; it never becomes a target.
func TestActionsOfAConfirmationStayOnOurPages(t *testing.T) {
	for name, a := range ConfirmActions {
		for _, path := range []string{a.Back, a.Cancel} {
			if path != "" && (LocalPath(path) != path || !strings.HasPrefix(path, "/account")) {
				t.Errorf("%q leads to %q", name, path)
			}
		}
		if (view.Confirm{Action: a.Words}).What() != a.Words {
			t.Errorf("%q has no words", a.Words)
		}
	}
}
