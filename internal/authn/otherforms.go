package authn

import (
	"encoding/base64"
	"slices"
	"strings"
)

// withoutOurs returns the lines of Authorization that carry no token of ours in any form: behind a tab or another
// scheme, bare, as a parameter, in the user or password of Basic. Such a token authenticates no user, and is taken off
// all the same: an app would log it, or pass it on (HD-12). Other lines are the app's own and keep their bytes. Without
// a token it returns lines itself.
func (v *Verifier) withoutOurs(lines []string) []string {
	kept, cut, scanned := lines, false, 0
	for i, line := range lines {
		switch scanned += len(line); {
		case scanned > maxScanned || v.carriesOurs(line):
			if !cut {
				kept, cut = slices.Clone(lines[:i]), true
			}
		case cut:
			kept = append(kept, line)
		}
	}
	return kept
}

// maxScanned bounds the Authorization of one request that is looked at, in bytes: Kerberos tickets are up to 64 KiB.
// What is beyond may carry a token of ours and is taken off.
const maxScanned = 64 << 10

func (v *Verifier) carriesOurs(line string) bool {
	if v.hasOurWord(line) {
		return true
	}
	for rest := line; rest != ""; {
		var run string
		if run, rest = nextRun(rest, base64Bytes); len(run) >= shortestEncoded && v.hasOurWord(decoded(run)) {
			return true
		}
	}
	return false
}

// shortestEncoded is less than the base64 of any token of ours.
const shortestEncoded = 16

func (v *Verifier) hasOurWord(text string) bool {
	for rest := text; rest != ""; {
		var word string
		if word, rest = nextRun(rest, tokenBytes); word != "" && v.Tokens.Ours(word) {
			return true
		}
	}
	return false
}

// nextRun returns the first run of bytes of a kind, and what follows it.
func nextRun(s string, kind *[256]bool) (run, rest string) {
	start := 0
	for start < len(s) && !kind[s[start]] {
		start++
	}
	end := start
	for end < len(s) && kind[s[end]] {
		end++
	}
	return s[start:end], s[end:]
}

// tokenBytes may be part of a token of ours: base64url and the dots of a JWT. base64Bytes are those of either alphabet.
var tokenBytes, base64Bytes = bytesOf("-_."), bytesOf("-_+/")

func bytesOf(more string) *[256]bool {
	var t [256]bool
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(more, byte(c)) >= 0
	}
	return &t
}

// decoded reads base64 of either alphabet without padding.
func decoded(run string) string {
	if len(run)%4 == 1 { // no encoding has this length: the last letter is of something else
		run = run[:len(run)-1]
	}
	raw, _ := base64.RawURLEncoding.DecodeString(urlAlphabet.Replace(run)) // decodes all but a broken end
	return string(raw)
}

var urlAlphabet = strings.NewReplacer("+", "-", "/", "_")
