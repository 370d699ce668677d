package credential

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
)

// RecoveryCount is how many recovery codes a set has.
const RecoveryCount = 10

const (
	// recoveryText leaves out 0 O 1 I L U, which are easily misread: 30 characters, 4.9 bits each.
	recoveryText = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
	// recoveryGroups of recoveryGroup characters: 20 characters are 98 bits, more than the 80 that allow a fast hash
	// without a salt of its own (MF-10, NIST SP 800-63B-4 3.1.2.2).
	recoveryGroups, recoveryGroup = 4, 5
)

// NewRecoveryCodes returns a set of codes: "XXXXX-XXXXX-XXXXX-XXXXX" each.
func NewRecoveryCodes() []string {
	codes := make([]string, RecoveryCount)
	for i := range codes {
		codes[i] = newRecoveryCode()
	}
	return codes
}

func newRecoveryCode() string {
	out := make([]byte, 0, recoveryGroups*(recoveryGroup+1))
	var raw [64]byte
	for chosen := 0; ; {
		_, _ = rand.Read(raw[:])
		for _, b := range raw {
			if int(b) >= 256/len(recoveryText)*len(recoveryText) { // no modulo bias
				continue
			}
			if chosen > 0 && chosen%recoveryGroup == 0 {
				out = append(out, '-')
			}
			out = append(out, recoveryText[int(b)%len(recoveryText)])
			if chosen++; chosen == recoveryGroups*recoveryGroup {
				return string(out)
			}
		}
	}
}

// ParseRecoveryCode accepts a code as users type it: any case, with spaces and dashes or without. False: it cannot be
// one.
func ParseRecoveryCode(typed string) (string, bool) {
	if len(typed) > 64 {
		return "", false
	}
	code := make([]byte, 0, recoveryGroups*recoveryGroup)
	for _, c := range []byte(typed) {
		switch {
		case c == ' ' || c == '-':
			continue
		case c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		if strings.IndexByte(recoveryText, c) < 0 || len(code) == cap(code) {
			return "", false
		}
		code = append(code, c)
	}
	return string(code), len(code) == cap(code)
}

// RecoveryHash is what is stored of a code: keyed, so that a copy of the database alone does not help to guess, and
// bound to its owner.
func RecoveryHash(key []byte, owner, code string) [32]byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(owner + "\x00" + code))
	return [32]byte(mac.Sum(nil))
}
