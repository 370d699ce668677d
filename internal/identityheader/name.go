package identityheader

import (
	"fmt"
	"strings"
)

// ownPrefix, folded, begins names that are always ours.
const ownPrefix = "X_TRUXE_"

// longestName bounds configured names, in bytes, so that folding needs no allocation.
const longestName = 64

// foldTable is how CGI and PHP read a name: upper case, and everything that is not a letter or digit is "_" (HD-01).
var foldTable = func() (t [256]byte) {
	for i := range t {
		switch c := byte(i); {
		case c >= 'a' && c <= 'z':
			t[i] = c - 'a' + 'A'
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			t[i] = c
		default:
			t[i] = '_'
		}
	}
	return t
}()

func fold(name string) string {
	b := []byte(name)
	for i := range b {
		b[i] = foldTable[b[i]]
	}
	return string(b)
}

// steering are the names, folded, that move the connection or the message, carry the app's own credentials, or tell
// the upstream about the network. Owning one would take it from every request.
var steering = strings.Fields(`HOST COOKIE SET_COOKIE AUTHORIZATION WWW_AUTHENTICATE AUTHENTICATION_INFO
	CONNECTION KEEP_ALIVE UPGRADE HTTP2_SETTINGS TE TRAILER TRANSFER_ENCODING CONTENT_LENGTH CONTENT_TYPE CONTENT_ENCODING
	CONTENT_RANGE EXPECT DATE VIA RANGE IF_RANGE ACCEPT ACCEPT_ENCODING CACHE_CONTROL PRAGMA ORIGIN REFERER USER_AGENT EARLY_DATA
	ALT_SVC FORWARDED X_FORWARDED_FOR X_FORWARDED_PROTO X_FORWARDED_HOST X_FORWARDED_PORT X_FORWARDED_URI X_FORWARDED_METHOD
	X_ORIGINAL_URL X_ORIGINAL_METHOD X_REAL_IP LOCATION VARY`)

var steeringPrefixes = []string{"PROXY_", "SEC_", "ACCESS_CONTROL_"}

// checkName refuses a configured name that is no field name (RFC 9110 5.1, 5.6.2) or that an operator may not set.
func checkName(name string) error {
	if name == "" || len(name) > longestName {
		return fmt.Errorf("header %q: a name has 1 to %d characters", name, longestName)
	}
	word := false
	for i := range len(name) {
		if foldTable[name[i]] != '_' {
			word = true
		} else if !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(name[i])) {
			return fmt.Errorf("header %q: %q is not allowed in a header name", name, name[i])
		}
	}
	if !word {
		return fmt.Errorf("header %q: a name has a letter or digit", name)
	}
	folded := fold(name)
	if strings.HasPrefix(folded, ownPrefix) {
		return fmt.Errorf("header %s: names that begin with X-Truxe- are the gateway's own; choose another", name)
	}
	for _, s := range steering {
		if folded == s {
			return fmt.Errorf("header %s steers the connection or belongs to the app; choose another name", name)
		}
	}
	for _, p := range steeringPrefixes {
		if strings.HasPrefix(folded, p) {
			return fmt.Errorf("header %s: names that begin with %s belong to HTTP; choose another", name,
				strings.ReplaceAll(p, "_", "-"))
		}
	}
	return nil
}
