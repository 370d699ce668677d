package identityheader

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// FIELD-CASES 40, HD-03: apps that decode nothing get names as they are written; what could end a line, hide or turn
// text stays encoded, and so does what would make two names alike.
func TestUTF8ValuesAreReadableAndStillOneLine(t *testing.T) {
	for name, want := range map[string]string{
		"jürgen": "jürgen", "Zoë 李": "Zoë 李", "Иван": "Иван", "a\u0301": "a\u0301", "emoji 🦦": "emoji 🦦", "plain": "plain",
		"50%": "50%25", "j%C3%BCrgen": "j%25C3%25BCrgen", "a\r\nX: y": "a%0D%0AX: y", "c1\u0085x": "c1%C2%85x",
		"nbsp\u00a0x": "nbsp%C2%A0x", "ls\u2028x": "ls%E2%80%A8x",
		"rlo\u202ex": "rlo%E2%80%AEx", "zero\u200bwidth": "zero%E2%80%8Bwidth", "bad\xffü": "bad%FFü", "cut\xc3": "cut%C3",
		" ü ": "%20ü%20", "lone\xed\xa0\x80": "lone%ED%A0%80", "\ufffd": "%EF%BF%BD",
	} {
		h := http.Header{}
		compile(t, Config{UTF8: true}).Apply(h, Render(&identity.Principal{Username: name, Roles: []string{name + ",x"}}))
		if got := h.Get(User); got != want {
			t.Errorf("%q arrives as %q, want %q", name, got, want)
		}
		if got := h.Get(Groups); strings.Contains(got, ",") {
			t.Errorf("a role %q divides the list: %q", name+",x", got)
		}
		h = http.Header{}
		compile(t, Config{}).Apply(h, Render(&identity.Principal{Username: name}))
		if got, err := url.PathUnescape(h.Get(User)); err != nil || got != name ||
			strings.ContainsFunc(h.Get(User), func(r rune) bool { return r > '~' }) {
			t.Errorf("without the option %q arrives as %q", name, h.Get(User))
		}
	}
}

func FuzzReadable(f *testing.F) {
	for _, seed := range []string{"jürgen", "50%", "\xff%", "a\u202eb", "%C3"} {
		f.Add(seed, "jürgen")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		a, b := readable(encode(one, 0)), readable(encode(two, 0))
		if (a == b) != (one == two) {
			t.Fatalf("%q and %q arrive as %q and %q", one, two, a, b)
		}
		if back, err := url.PathUnescape(a); err != nil || back != one {
			t.Fatalf("%q arrives as %q, decoded %q", one, a, back)
		}
		if !utf8.ValidString(a) || strings.ContainsFunc(a, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }) {
			t.Fatalf("%q arrives as %q", one, a)
		}
	})
}
