package credential

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// rfcKey is the secret of RFC 4226 appendix D and RFC 6238 appendix B, "12345678901234567890".
const rfcKey = TOTPKey("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")

// MF-01: RFC 4226 appendix D, ten counters, through Match: a step is a counter.
func TestVectorsOfRFC4226(t *testing.T) {
	for counter, code := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
		"399871", "520489"} {
		step, ok, _ := rfcKey.Match(code, time.Unix(int64(counter)*30+15, 0), -1)
		if !ok || step != int64(counter) {
			t.Errorf("counter %d: step %d, %v", counter, step, ok)
		}
	}
}

// MF-01: RFC 6238 appendix B. Its codes have eight digits; the last six of the SHA-1 ones are ours.
func TestVectorsOfRFC6238(t *testing.T) {
	for _, v := range []struct {
		at                   int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	} {
		if step, ok, _ := rfcKey.Match(v.sha1[2:], time.Unix(v.at, 0), -1); !ok || step != v.at/30 {
			t.Errorf("%d: step %d, %v", v.at, step, ok)
		}
		for algorithm, want := range map[otp.Algorithm]string{otp.AlgorithmSHA1: v.sha1, otp.AlgorithmSHA256: v.sha256,
			otp.AlgorithmSHA512: v.sha512} {
			size := map[otp.Algorithm]int{otp.AlgorithmSHA1: 20, otp.AlgorithmSHA256: 32, otp.AlgorithmSHA512: 64}[algorithm]
			key := base32Text.EncodeToString([]byte(strings.Repeat("1234567890", 7)[:size]))
			got, err := hotp.GenerateCodeCustom(key, uint64(v.at/30),
				hotp.ValidateOpts{Digits: otp.DigitsEight, Algorithm: algorithm})
			if err != nil || got != want {
				t.Errorf("%d %v: %s, want %s (%v)", v.at, algorithm, got, want, err)
			}
		}
	}
}

func outside(t testing.TB, key TOTPKey, at time.Time) string {
	t.Helper()
	out, err := exec.Command("oathtool", "--totp", "--base32", "--now", at.UTC().Format("2006-01-02 15:04:05 UTC"),
		key.Text()).Output()
	if err != nil {
		t.Fatal("oathtool is needed (scripts/install-test-deps): ", err)
	}
	return strings.TrimSpace(string(out))
}

// MF-01 MF-03: codes of an implementation from outside (oathtool) are taken one step early and late, and no further;
// none at or before the last accepted step is.
func TestCodesOfAnOutsideAppWithinOneStep(t *testing.T) {
	key, now := NewTOTPKey(), time.Unix(1_780_000_000, 0)
	current := now.Unix() / 30
	for d := int64(-3); d <= 3; d++ {
		code := outside(t, key, now.Add(time.Duration(d)*30*time.Second))
		step, ok, used := key.Match(code, now, -1)
		if want := d >= -1 && d <= 1; ok != want || ok && step != current+d || used {
			t.Errorf("%+d steps: %d %v %v", d, step, ok, used)
		}
		if _, ok, used := key.Match(code, now, current+d); ok || used != (d >= -1 && d <= 1) {
			t.Errorf("%+d steps, accepted before: %v %v", d, ok, used)
		}
		drift, found := key.Drift(code, now)
		if want := d < -1 || d > 1; found != want || found && drift != time.Duration(d)*30*time.Second {
			t.Errorf("%+d steps: the clock is off by %v, %v", d, drift, found)
		}
	}
	if _, ok, _ := NewTOTPKey().Match(outside(t, key, now), now, -1); ok {
		t.Error("another key's code is taken")
	}
}

// MF-04: a code is exactly six ASCII digits.
func TestOnlySixASCIIDigitsAreACode(t *testing.T) {
	now := time.Unix(59, 0)
	if _, ok, _ := rfcKey.Match("287082", now, -1); !ok {
		t.Fatal("control")
	}
	for _, bad := range []string{"", "28708", "2870820", "0287082", " 287082", "287082 ", "287 082", "287-082", "+28708",
		"-28708", "287082\n", "287082\x00", "28708O",
		"２８７０８２", "٢٨٧٠٨٢", "२८७०८२", "0x1234", "2870.2", "94287082"} {
		if _, ok, used := rfcKey.Match(bad, now, -1); ok || used {
			t.Errorf("%q is taken", bad)
		}
		if _, ok := rfcKey.Drift(bad, now); ok {
			t.Errorf("%q has a drift", bad)
		}
	}
}

// MF-06 CVE-2024-21495: keys have 160 bits, none like another, and do not print themselves.
func TestKeysAreLongRandomAndSilent(t *testing.T) {
	seen := map[TOTPKey]bool{}
	for range 1000 {
		k := NewTOTPKey()
		raw, err := base32Text.DecodeString(k.Text())
		if err != nil || len(raw) < 20 || seen[k] {
			t.Fatalf("%d bytes, %v, seen %v", len(raw), err, seen[k])
		}
		seen[k] = true
	}
	if text := fmt.Sprintf("%v %s %#v %+v", rfcKey, rfcKey, rfcKey, struct{ K TOTPKey }{rfcKey}); strings.Contains(text,
		"GEZD") {
		t.Error("a key prints itself: ", text)
	}
}

// The address is what apps read: one label, no "+" for a space, a name with a colon or slash kept in its place.
func TestOTPAuthAddress(t *testing.T) {
	got := rfcKey.URI("My Brand", "ada/b:c@example.com")
	want := "otpauth://totp/My%20Brand:ada%2Fb:c@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=My%20Brand&algorithm=SHA1&digits=6&period=30"
	if got != want {
		t.Errorf("\n%s\n%s", got, want)
	}
	parsed, err := otp.NewKeyFromURL(got)
	if err != nil || parsed.Secret() != rfcKey.Text() || parsed.Issuer() != "My Brand" || parsed.Period() != 30 ||
		parsed.Digits() != otp.DigitsSix {
		t.Errorf("%v %v", parsed, err)
	}
	rows, err := QR(got)
	if err != nil || len(rows) < 21 || len(rows[0]) != len(rows) || !rows[0][0] || !rows[0][6] || rows[1][1] ||
		!rows[len(rows)-1][0] || rows[len(rows)-1][7] {
		t.Errorf("not a QR code: %d rows, %v", len(rows), err)
	}
	if _, err := QR(strings.Repeat("x", 5000)); err == nil {
		t.Error("a text that no code can hold")
	}
}

func FuzzTOTPCode(f *testing.F) {
	for _, seed := range []string{"287082", "２８７０８２", "28708", "+28708", "287 082"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, code string) {
		_, ok, used := rfcKey.Match(code, time.Unix(59, 0), -1)
		if want := code == "755224" || code == "287082" || code == "359152"; ok != want || used {
			t.Errorf("%q: %v %v", code, ok, used)
		}
	})
}
