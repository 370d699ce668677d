package session

import "testing"

func FuzzParseSessionSecret(f *testing.F) {
	v, _ := NewSecret()
	f.Add(v)
	f.Fuzz(func(t *testing.T, s string) {
		if _, ok := ParseSecret(s); ok && len(s) != 43 {
			t.Fatalf("%q passes", s)
		}
	})
}
