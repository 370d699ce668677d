package credential

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const maxLogin = 254 // RFC 5321: the longest address

var (
	errUsername = errors.New("a user name is 1 to 64 letters, digits, dots, hyphens and underscores, or an e-mail address; without spaces, \\ and |")
	errEmail    = errors.New("an e-mail address has exactly one @ and no spaces")
	errLogin    = errors.New("not a user name")
)

// FoldUsername is the key of a login name: all spellings of one name share it, and so share its counters (LK-02).
func FoldUsername(login string) (string, error) {
	if len(login) > 4*maxLogin || !utf8.ValidString(login) {
		return "", errLogin
	}
	s := strings.TrimSpace(norm.NFKC.String(login))
	s = norm.NFKC.String(cases.Fold().String(s))
	if s == "" || len(s) > maxLogin || strings.ContainsFunc(s, unsafe) {
		return "", errLogin
	}
	return s, nil
}

// unsafe are characters that no name needs: controls, and the invisible ones that make two names look alike.
func unsafe(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

// ValidUsername returns the name to be stored.
func ValidUsername(name string) (string, error) {
	name = norm.NFKC.String(strings.TrimSpace(name))
	if !utf8.ValidString(name) || name == "" || utf8.RuneCountInString(name) > 64 {
		return "", errUsername
	}
	local, domain, address := strings.Cut(name, "@")
	signs := ".-_+"
	if address {
		signs = "." + atext
		if ValidEmail(name) != nil || !consists(domain, ".-_") || strings.HasPrefix(local, ".") ||
			strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
			return "", errUsername
		}
	}
	if !consists(local, signs) {
		return "", errUsername
	}
	return name, nil
}

// consists reports whether a text has nothing but letters, digits and these signs.
func consists(s, signs string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune(signs, r)
	})
}

// atext are the signs that the local part of an address may have besides letters and digits (RFC 5322 3.2.3), but for
// two: "|" divides issuer and subject in the names of a trusted issuer's users, and "`" is in no address that users
// have and is read by every shell.
const atext = "!#$%&'*+-/=?^_{}~"

// ValidEmail checks the shape of an address. More than one @ is how `a@evil@corp.com` passed a domain check elsewhere
// (CVE-2026-40574).
func ValidEmail(address string) error {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || domain == "" || strings.Contains(domain, "@") || len(address) > maxLogin ||
		!utf8.ValidString(address) {
		return errEmail
	}
	if strings.ContainsFunc(address,
		func(r rune) bool { return unicode.IsSpace(r) || unsafe(r) || strings.ContainsRune("<>()\"\\,;:", r) }) {
		return errEmail
	}
	return nil
}
