// Package identityheader decides what of a request's headers may claim to be an identity. Every client header that
// equals one of ours after folding is removed, on every request; then the gateway sets its own.
//
// Values are one line of printable ASCII: every other byte, and "%" itself, is percent-encoded as UTF-8, so that an app
// can decode without guessing (HD-03). A comma in a role is encoded too, since commas separate roles.
package identityheader

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/nearest"
)

// The names of CONTRACT section 4.
const (
	User      = "Remote-User"
	Name      = "Remote-Name"
	Email     = "Remote-Email"
	Groups    = "Remote-Groups"
	UserID    = "X-Truxe-User-Id"
	Session   = "X-Truxe-Session"
	AMR       = "X-Truxe-Amr"
	Assertion = "X-Truxe-Jwt-Assertion"
)

// Custom is one more header: Template may use {http.auth.user.id}, .name, .email, .display_name, .roles and {http.truxe.session}.
type Custom struct{ Name, Template string }

// Config says what the upstream gets.
type Config struct {
	None   bool   // nothing
	Preset string // names of an app or of another gateway; "" is our own
	Custom []Custom
}

// field is one header to be set.
type field struct {
	name  string // canonical
	value template
}

// Set is a compiled Config.
type Set struct {
	fields []field
	owned  map[string]bool // folded names that clients may not send
	first  [256]bool       // first bytes of owned names, folded: a cheap test before the map
	minLen int
	maxLen int
}

// Compile checks names and templates.
func Compile(c Config) (*Set, error) {
	s := &Set{owned: map[string]bool{}, minLen: 1 << 10}
	for _, name := range []string{User, Name, Email, Groups, UserID, Session, AMR, Assertion} {
		s.own(name)
	}
	if !c.None {
		list := ourOwn
		if c.Preset != "" {
			var ok bool
			if list, ok = presets[c.Preset]; !ok {
				return nil, fmt.Errorf("unknown headers preset %q%s", c.Preset, nearest.Hint(c.Preset, presetNames()))
			}
		}
		for _, f := range list {
			if err := s.add(f.Name, f.Template); err != nil {
				return nil, err
			}
		}
	}
	for _, f := range c.Custom {
		if err := checkName(f.Name); err != nil {
			return nil, err
		}
		if err := s.add(f.Name, f.Template); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Set) add(name, text string) error {
	t, err := parse(text)
	if err != nil {
		return fmt.Errorf("header %s: %w", name, err)
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	s.own(name)
	for i := range s.fields {
		if s.fields[i].name == name {
			s.fields[i].value = t
			return nil
		}
	}
	s.fields = append(s.fields, field{name, t})
	return nil
}

func (s *Set) own(name string) {
	folded := fold(name)
	s.owned[folded] = true
	s.first[folded[0]] = true
	s.minLen, s.maxLen = min(s.minLen, len(folded)), max(s.maxLen, len(folded))
}

// fold is how CGI and PHP read a name: upper case, and everything that is not a letter or digit is "_" (HD-01).
func fold(name string) string {
	var buf [64]byte
	b := buf[:0]
	for i := range len(name) {
		b = append(b, foldByte(name[i]))
	}
	return string(b)
}

func foldByte(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z':
		return c - 32
	case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return c
	}
	return '_'
}

// Owns tells whether a header name is ours in any spelling. Names beginning with X-Truxe- always are.
func (s *Set) Owns(name string) bool {
	if len(name) == 0 || !s.first[foldByte(name[0])] {
		return false
	}
	var buf [64]byte
	if len(name) > len(buf) {
		return hasOwnPrefix(name)
	}
	for i := range len(name) {
		buf[i] = foldByte(name[i])
	}
	if len(name) >= len(ownPrefix) && string(buf[:len(ownPrefix)]) == ownPrefix {
		return true
	}
	return len(name) >= s.minLen && len(name) <= s.maxLen && s.owned[string(buf[:len(name)])]
}

const ownPrefix = "X_TRUXE_"

func hasOwnPrefix(name string) bool { return fold(name[:len(ownPrefix)]) == ownPrefix }

// Strip removes what a client may not send. Without any it allocates nothing.
func (s *Set) Strip(h http.Header) {
	for name := range h {
		if s.Owns(name) {
			delete(h, name)
		}
	}
}

// checkName refuses names that are no header or that steer the connection or the app's own credentials.
func checkName(name string) error {
	if name == "" || len(name) > 60 || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-')
	}) {
		return fmt.Errorf("header %q: a name is letters, digits and hyphens", name)
	}
	if slices.Contains([]string{"CONNECTION", "UPGRADE", "HOST", "COOKIE", "SET_COOKIE", "AUTHORIZATION", "PROXY_AUTHORIZATION", "CONTENT_LENGTH",
		"TRANSFER_ENCODING", "TE", "TRAILER", "KEEP_ALIVE", "CONTENT_TYPE", "FORWARDED", "X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_FORWARDED_HOST"}, fold(name)) {
		return fmt.Errorf("header %s steers the connection or is the app's own; choose another name", name)
	}
	return nil
}
