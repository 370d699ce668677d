// Package credential verifies what users know and have. Passwords are normalised once, hashed in a bounded pool, and
// judged by length and by what attackers try first; no composition rule, no expiry (NIST SP 800-63B-4 3.1.1.2).
package credential

import (
	"errors"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxCodePoints = 128
	maxBytes      = 512
)

var (
	errNotText = errors.New("the password is not valid text")
	errTooLong = errors.New("the password is longer than 128 characters")
)

// Normalize maps all spellings of a password to one: NFKC, so that composed and decomposed accents are the same
// (PW-05). Passwords of up to 128 characters and 512 bytes are taken whole, NUL included (PW-02, PW-04).
func Normalize(password string) (string, error) {
	if len(password) > 4*maxBytes || !utf8.ValidString(password) {
		if utf8.ValidString(password) {
			return "", errTooLong
		}
		return "", errNotText
	}
	p := norm.NFKC.String(password)
	if len(p) > maxBytes || utf8.RuneCountInString(p) > maxCodePoints {
		return "", errTooLong
	}
	return p, nil
}
