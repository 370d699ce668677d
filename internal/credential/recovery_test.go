package credential

import (
	"math"
	"regexp"
	"strings"
	"testing"
)

// MF-10: ten codes of at least 80 bits, without characters that are easily misread, none twice.
func TestRecoveryCodesAreLongAndDifferent(t *testing.T) {
	shape := regexp.MustCompile(`^([23456789ABCDEFGHJKMNPQRSTVWXYZ]{5}-){3}[23456789ABCDEFGHJKMNPQRSTVWXYZ]{5}$`)
	if bits := float64(recoveryGroups*recoveryGroup) * math.Log2(float64(len(recoveryText))); bits < 80 {
		t.Errorf("%.0f bits", bits)
	}
	seen, count := map[string]bool{}, map[rune]int{}
	for range 500 {
		set := NewRecoveryCodes()
		if len(set) != 10 {
			t.Fatalf("%d codes", len(set))
		}
		for _, code := range set {
			if !shape.MatchString(code) || seen[code] {
				t.Fatalf("%q, seen %v", code, seen[code])
			}
			seen[code] = true
			for _, c := range strings.ReplaceAll(code, "-", "") {
				count[c]++
			}
		}
	}
	want := 500 * 10 * 20 / len(recoveryText) // 3,333 each; six standard deviations are 340
	for _, c := range recoveryText {
		if d := count[c] - want; d < -340 || d > 340 {
			t.Errorf("%c comes %d times, want about %d", c, count[c], want)
		}
	}
}

// UX section 3: any case, with spaces and dashes or without; nothing else is a code.
func TestRecoveryCodeAsPeopleTypeIt(t *testing.T) {
	const code = "23456789ABCDEFGHJKMN"
	for _, typed := range []string{code, "23456-789AB-CDEFG-HJKMN", " 23456 789ab cdefg hjkmn ", "23456789abcdefghjkmn"} {
		if got, ok := ParseRecoveryCode(typed); !ok || got != code {
			t.Errorf("%q: %q %v", typed, got, ok)
		}
	}
	for _, bad := range []string{"", "23456", code + "2", strings.Replace(code, "2", "0", 1),
		strings.Replace(code, "2", "２", 1), code + strings.Repeat(" ", 64), "23456\n789AB-CDEFG-HJKMN"} {
		if got, ok := ParseRecoveryCode(bad); ok {
			t.Errorf("%q is taken as %q", bad, got)
		}
	}
}

func TestRecoveryHashIsKeyedAndBoundToItsOwner(t *testing.T) {
	base := RecoveryHash([]byte("key"), "ada", "CODE")
	if base != RecoveryHash([]byte("key"), "ada", "CODE") {
		t.Error("not the same twice")
	}
	for name, other := range map[string][32]byte{"key": RecoveryHash([]byte("yek"), "ada", "CODE"),
		"owner": RecoveryHash([]byte("key"), "bob", "CODE"),
		"code":  RecoveryHash([]byte("key"), "ada", "CODA")} {
		if other == base {
			t.Errorf("another %s gives the same hash", name)
		}
	}
}

func FuzzRecoveryCode(f *testing.F) {
	f.Add("23456-789AB-CDEFG-HJKMN")
	f.Add("23456 789ab")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := ParseRecoveryCode(typed)
		if !ok {
			return
		}
		if again, ok := ParseRecoveryCode(code); !ok || again != code || len(code) != 20 {
			t.Errorf("%q gives %q", typed, code)
		}
	})
}
