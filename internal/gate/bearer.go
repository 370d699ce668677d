package gate

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// maxAuthorization bounds what is looked at: our longest token is 16 KiB (JW-15).
const maxAuthorization = 17 << 10

// ownToken finds a token that is ours to judge in Authorization: as Bearer, or as a Basic password for clients that
// know nothing else. Any other Authorization is the app's own and stays untouched (CONTRACT section 3).
func (g *Gate) ownToken(h http.Header) (token string, basic bool) {
	lines := h["Authorization"]
	for _, line := range lines {
		if len(line) > maxAuthorization {
			continue
		}
		scheme, value, ok := strings.Cut(line, " ")
		if !ok {
			continue
		}
		value = strings.TrimLeft(value, " ")
		switch {
		case strings.EqualFold(scheme, "bearer"):
			if g.Tokens.Ours(value) {
				if len(lines) > 1 { // two credentials: no telling which one an app would take
					return value + " ", false // never verifies
				}
				return value, false
			}
		case strings.EqualFold(scheme, "basic"):
			raw, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				continue
			}
			if _, password, ok := strings.Cut(string(raw), ":"); ok && g.Tokens.Ours(password) {
				return password, true
			}
		}
	}
	return "", false
}
