package credential

import (
	"strings"
	"testing"
	"unicode"
)

// ED-27: a user name is a plain name, or an address with what local parts have (RFC 5322 3.2.3); the two that name a
// trusted issuer's user and a shell's command, and what needs quoting in an address, are in none.
func TestUserNamesThatPeopleHave(t *testing.T) {
	for _, name := range []string{"pia", "Pia.Berg", "o'brien@example.com", "a&b=c@example.com", "user+tag@example.com",
		"!#$%&'*+-/=?^_{}~@example.com", "jürgen@bücher.example", "李@例え.jp"} {
		if got, err := ValidUsername(name); err != nil || got != name {
			t.Errorf("%s: %q %v", name, got, err)
		}
		if _, err := FoldUsername(name); err != nil {
			t.Errorf("%s cannot sign in: %v", name, err)
		}
	}
	for _, name := range []string{"o'brien", `CORP\\pia`, "two words", "a|b@example.com", "https://idp.test|pia",
		"a`b@example.com", ".a@example.com", "a.@example.com", "a..b@example.com", "@example.com",
		"a@", "a@b@c", `"a b"@example.com`, "a b@example.com", "a(c)@example.com", "a,b@example.com", "a;b@example.com",
		"a:b@example.com", "a@exam'ple.com", "a@[192.0.2.1]", "a\x00b@example.com",
		"a\u202eb@example.com", "a\r\nX: y@example.com", strings.Repeat("a", 65), ""} {
		if got, err := ValidUsername(name); err == nil {
			t.Errorf("%q is taken as %q", name, got)
		}
	}
}

// FuzzValidUsername: what is taken is one word that stays as it is, signs in, and has nothing that breaks a header, a
// line, a shell's word or the names of other issuers' users.
func FuzzValidUsername(f *testing.F) {
	for _, s := range []string{"pia", "o'brien@example.com", "a|b@c.d", "a..b@c", "\u212a@x", "%41@x", "\uff07@x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := ValidUsername(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(name, " |`\\\"<>(),;:[]\t\r\n") ||
			strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.C, r) }) {
			t.Fatalf("%q", name)
		}
		if again, err := ValidUsername(name); err != nil || again != name {
			t.Fatalf("%q becomes %q: %v", name, again, err)
		}
		if _, err := FoldUsername(name); err != nil {
			t.Fatalf("%q cannot sign in", name)
		}
		if strings.Contains(name, "@") && ValidEmail(name) != nil {
			t.Fatalf("%q is no address", name)
		}
	})
}
