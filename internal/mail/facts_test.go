package mail

import (
	"strings"
	"testing"
)

// The facts of a notice that waited in the database are bounded, and can wait again.
func FuzzDecodeFacts(f *testing.F) {
	f.Add(`{"account":"pia","at":"2026-01-02T03:04:05Z","factor":"totp"}`)
	f.Add(`{"account":"pia"} {}`)
	f.Add(`{"secret":"x"}`)
	f.Add(`null`)
	f.Add(`{"account":"` + strings.Repeat("x", maxFacts) + `"}`)
	f.Fuzz(func(t *testing.T, text string) {
		facts, err := decodeFacts(text)
		if err != nil {
			return
		}
		if len(text) > maxFacts {
			t.Fatalf("%d bytes were taken", len(text))
		}
		again, err := facts.Encode()
		if err != nil { // a year beyond 9999 cannot be read either
			t.Fatalf("%q: %v", text, err)
		}
		if back, err := decodeFacts(again); err != nil || strings.ContainsAny(back.Account+back.Host+back.Address, "\r\n") {
			t.Errorf("%q is written as %q: %v", text, again, err)
		}
	})
}
