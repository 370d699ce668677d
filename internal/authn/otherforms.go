package authn

import (
	"encoding/base64"
	"slices"
	"strings"
)

// withoutOurs returns the lines of Authorization that carry no token of ours in any form: behind a tab or another scheme, bare,
// as a parameter, in the user or password of Basic. Such a token authenticates no user, and is taken off all the same: an app would
// log it, or pass it on (HD-12). Other lines are the app's own and keep their bytes. Without a token it returns lines itself.
func (v *Verifier) withoutOurs(lines []string) []string {
	if !slices.ContainsFunc(lines, v.carriesOurs) {
		return lines
	}
	return slices.DeleteFunc(slices.Clone(lines), v.carriesOurs)
}

func (v *Verifier) carriesOurs(line string) bool {
	if v.hasOurWord(line) {
		return true
	}
	for rest := line; rest != ""; {
		var run string
		if run, rest = nextRun(rest, isBase64); len(run) >= shortestEncoded && v.hasOurWord(decoded(run)) {
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
		if word, rest = nextRun(rest, isToken); word != "" && v.Tokens.Ours(word) {
			return true
		}
	}
	return false
}

// nextRun returns the first run of bytes of a kind, and what follows it.
func nextRun(s string, is func(byte) bool) (run, rest string) {
	start := 0
	for start < len(s) && !is(s[start]) {
		start++
	}
	end := start
	for end < len(s) && is(s[end]) {
		end++
	}
	return s[start:end], s[end:]
}

// isToken reports whether a byte may be part of a token of ours: base64url and the dots of a JWT.
func isToken(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

func isBase64(c byte) bool { return isToken(c) && c != '.' || c == '+' || c == '/' }

// decoded reads base64 of either alphabet without padding.
func decoded(run string) string {
	if len(run)%4 == 1 { // no encoding has this length: the last letter is of something else
		run = run[:len(run)-1]
	}
	raw, _ := base64.RawURLEncoding.DecodeString(urlAlphabet.Replace(run)) // decodes all but a broken end
	return string(raw)
}

var urlAlphabet = strings.NewReplacer("+", "-", "/", "_")
