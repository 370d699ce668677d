package audit

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxText bounds a text of a line in runes, so that no client fills the log with its User-Agent.
	maxText = 512
	// maxRaw bounds what is looked at, in bytes: more than maxText characters and a token take.
	maxRaw = 8 << 10
	// maxDetails bounds the number of details.
	maxDetails = 32
)

const redacted = "[redacted]"

// secrets finds what must never be in a log (AU-03): our opaque tokens, webhook secrets, JWTs whole or cut, and what
// stands after an authentication scheme.
var secrets = regexp.MustCompile(`trx_[a-z]{1,8}_[A-Za-z0-9_-]+|whsec_[A-Za-z0-9+/=_-]+|eyJ[A-Za-z0-9_-]{5,}(\.[A-Za-z0-9_-]*)*|(?i:\b(?:basic|bearer)[ +]+[A-Za-z0-9._~+/=-]{6,})`)

// run finds words as long as 256 bits in base64url: session secrets, one-time codes, ticket ids.
var run = regexp.MustCompile(`[A-Za-z0-9_-]{43,}`)

// tidy returns a text as one line of bounded length, valid UTF-8, harmless on a terminal, and without secrets.
func tidy(s string) string { return tidyTo(s, maxText) }

func tidyTo(s string, most int) string {
	if len(s) > maxRaw { // not within a word: the half of a secret would not be recognised
		s = strings.TrimRightFunc(s[:maxRaw], inWord)
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	// Secrets go before the text is cut: half a token would not be recognised.
	s = secrets.ReplaceAllString(s, redacted)
	s = run.ReplaceAllStringFunc(s, func(word string) string {
		if random(word) {
			return redacted
		}
		return word
	})
	return cut(strings.Map(harmless, s), most)
}

func inWord(r rune) bool {
	return r > ' ' && r < 0x7f || r == utf8.RuneError
}

// random reports whether a text looks like 256 random bits, not like a long slug or an id: a base64url text of 43
// characters without capitals or without small letters has a chance below 1 in 10^9.
func random(word string) bool {
	return strings.ContainsAny(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") &&
		strings.ContainsAny(word, "abcdefghijklmnopqrstuvwxyz")
}

// harmless replaces what could forge a line, move a cursor or turn text around in whatever shows the log (AU-04).
func harmless(r rune) rune {
	if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
		return '\uFFFD'
	}
	return r
}

func cut(s string, most int) string {
	n := 0
	for i := range s {
		if n == most-1 && len([]rune(s[i:])) > 1 {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// tidyDetails cleans names and values. The kid of a rotated key is the thumbprint of a public key (RFC 7638): it looks
// like a secret and is not one.
func tidyDetails(event string, in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	for k, v := range in {
		if len(out) == maxDetails {
			break
		}
		if event == KeyRotated && k == "kid" && len(v) == 43 {
			out[k] = cut(strings.Map(harmless, strings.ToValidUTF8(v, "\uFFFD")), maxText)
			continue
		}
		if k == PackedDetail {
			out[k] = tidyTo(v, maxPacked)
			continue
		}
		out[tidy(k)] = tidy(v)
	}
	return out
}
