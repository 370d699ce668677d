package credential

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"image/color"
	"net/url"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// What every authenticator app supports (RFC 6238, and the key URI format of Google Authenticator).
const (
	totpDigits = 6
	totpPeriod = 30 // seconds
	totpBytes  = 20 // RFC 4226 section 4 wants 128 bits and recommends 160 (MF-06)
	totpWindow = 1  // steps either way (MF-03)
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// TOTPKey is the secret of an authenticator app in base32 without padding. It prints as [redacted].
type TOTPKey string

// String never shows the key.
func (TOTPKey) String() string { return "[redacted]" }

// GoString never shows the key.
func (TOTPKey) GoString() string { return "[redacted]" }

// NewTOTPKey returns 160 random bits from the operating system.
func NewTOTPKey() TOTPKey {
	var raw [totpBytes]byte
	_, _ = rand.Read(raw[:])
	return TOTPKey(base32Text.EncodeToString(raw[:]))
}

// Text is the key as users type it.
func (k TOTPKey) Text() string { return string(k) }

// URI is the otpauth address that apps read from the QR code. issuer is the brand's name, account the person's.
func (k TOTPKey) URI(issuer, account string) string {
	// url.Values would write a space as "+", which several apps show as it stands.
	return "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?secret=" + string(k) + "&issuer=" +
		url.PathEscape(issuer) +
		fmt.Sprintf("&algorithm=SHA1&digits=%d&period=%d", totpDigits, totpPeriod)
}

// Match finds the time step within one of now's whose code this is; after is the last accepted step: none at or before
// it counts (MF-03). used says that the code is that of an accepted step. All steps are compared, in constant time.
func (k TOTPKey) Match(code string, now time.Time, after int64) (step int64, ok, used bool) {
	if !sixDigits(code) {
		return 0, false, false
	}
	current := now.Unix() / totpPeriod
	for s := current - totpWindow; s <= current+totpWindow; s++ {
		if s < 0 {
			continue
		}
		want, err := hotp.GenerateCodeCustom(string(k), uint64(s),
			hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil || subtle.ConstantTimeCompare([]byte(want), []byte(code)) != 1 {
			continue
		}
		if s > after {
			step, ok = s, true
		} else {
			used = true
		}
	}
	return step, ok, used && !ok
}

// driftSteps is how far a set-up looks for a clock that is wrong: an hour either way.
const driftSteps = 120

// Drift returns by how much the clock of the phone that showed this code seems to be off. It is for set-up, where it
// helps and discloses nothing: the reader of the answer has the key. Negative is slow. False: the key has no such code.
func (k TOTPKey) Drift(code string, now time.Time) (time.Duration, bool) {
	if !sixDigits(code) {
		return 0, false
	}
	current := now.Unix() / totpPeriod
	for d := int64(totpWindow + 1); d <= driftSteps; d++ {
		for _, s := range []int64{current - d, current + d} {
			want, err := hotp.GenerateCodeCustom(string(k), uint64(max(0, s)),
				hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
			if err == nil && want == code {
				return time.Duration(s-current) * totpPeriod * time.Second, true
			}
		}
	}
	return 0, false
}

// sixDigits reports whether a text is exactly six ASCII digits: no sign, no space, no digits of other scripts (MF-04).
func sixDigits(code string) bool {
	if len(code) != totpDigits {
		return false
	}
	for _, c := range []byte(code) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// QR is the code of a text as rows of modules, true is dark, without a quiet zone. The library is the one that
// pquerna/otp brings along anyway; only the matrix is used, so that the page can draw it as SVG.
func QR(text string) ([][]bool, error) {
	picture, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("make QR code: %w", err)
	}
	size := picture.Bounds().Dx()
	rows := make([][]bool, size)
	for y := range rows {
		rows[y] = make([]bool, size)
		for x := range rows[y] {
			grey, _ := color.GrayModel.Convert(picture.At(x, y)).(color.Gray)
			rows[y][x] = grey.Y < 128
		}
	}
	return rows, nil
}
