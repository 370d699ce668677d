// Package identityheader decides what of a request's headers may claim to be an identity. Every client header or
// trailer that equals one of ours after folding is removed, on every request; then the gateway sets its own.
//
// # Values
//
// A value is one line of printable ASCII (HD-03, RFC 9110 5.5). Every other byte of its UTF-8 form, "%" itself and a
// space at either end are percent-encoded, so an app that decodes percent-encoding once gets the exact text, and two
// names that differ never look alike to one that does not. With UTF8 printable characters beyond ASCII stay as they
// are. In a list "," and "|" are encoded inside each member as well, and " " where spaces divide.
package identityheader

import (
	"fmt"
	"net/http"
	"net/textproto"

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

// Custom is one more header: Template may use {http.auth.user.id}, .name, .email, .display_name, .roles and
// {http.truxe.session}. A name that the set already has (as CGI reads it) gets the new template.
type Custom struct{ Name, Template string }

// Config says what the upstream gets.
type Config struct {
	None      bool   // nothing but Custom and Assertion; the names of Preset and of our own set stay refused to clients
	Preset    string // names of an app or of another gateway instead of our own; "" is our own
	Custom    []Custom
	UTF8      bool // printable characters beyond ASCII as they are, for apps that do not decode
	Assertion bool // the signed assertion too; its value is the caller's (SetAssertion)
}

// field is one header to be set.
type field struct {
	name  string // canonical
	value template
}

// Set is a compiled Config. It is safe for concurrent use.
type Set struct {
	fields    []field
	assertion bool
	utf8      bool
}

// Compile checks names and templates, and adds the names to those that clients may not send.
func Compile(c Config, owned *Owned) (*Set, error) {
	s := &Set{assertion: c.Assertion, utf8: c.UTF8}
	list := ourOwn
	if c.Preset != "" {
		var ok bool
		if list, ok = presets[c.Preset]; !ok {
			return nil, fmt.Errorf("unknown headers preset %q%s", c.Preset, nearest.Hint(c.Preset, presetNames()))
		}
	}
	for _, f := range list {
		owned.add(f.name)
		if !c.None {
			s.fields = append(s.fields, field{textproto.CanonicalMIMEHeaderKey(f.name), template{single: f.value}})
		}
	}
	seen := map[string]bool{}
	for _, f := range c.Custom {
		if err := checkName(f.Name); err != nil {
			return nil, err
		}
		if seen[fold(f.Name)] {
			return nil, fmt.Errorf("header %s is set twice", f.Name)
		}
		seen[fold(f.Name)] = true
		if err := s.add(f); err != nil {
			return nil, err
		}
		owned.add(f.Name)
	}
	return s, nil
}

func (s *Set) add(c Custom) error {
	t, err := parse(c.Template)
	if err != nil {
		return fmt.Errorf("header %s: %w", c.Name, err)
	}
	f := field{textproto.CanonicalMIMEHeaderKey(c.Name), t}
	for i := range s.fields {
		if fold(s.fields[i].name) == fold(f.name) {
			s.fields[i] = f
			return nil
		}
	}
	s.fields = append(s.fields, f)
	return nil
}

// SetAssertion sets the signed assertion.
func (s *Set) SetAssertion(h http.Header, jwt string) { h[Assertion] = []string{jwt} }

// Apply sets the headers that have a value, at the cost of one allocation. One that the user has no value for is left
// out: nothing of the client's is there after Strip, and apps then fall back as they do without a gateway.
func (s *Set) Apply(h http.Header, v *Values) { s.ApplyTo(h, v, new(Buffer)) }

// Buffer holds one request's header values. A caller that allocates something per request anyway embeds one.
type Buffer [8]string

// ApplyTo sets the headers with room from the caller: no allocation for our own set and the presets. The slices are
// never shared between requests, since Caddy's request_header replaces values in place (headers.go:319): shared ones
// would pass one user's edited value on to the next. Their capacity is one, so an append copies. It returns the room
// that is left, which is empty at a site with more headers of its own than the buffer holds.
func (s *Set) ApplyTo(h http.Header, v *Values, buf *Buffer) []string {
	room, texts := buf[:], v.in(s.utf8)
	for i := range s.fields {
		if len(room) == 0 {
			room = make([]string, len(s.fields)-i)
		}
		text := s.fields[i].value.expand(texts)
		if text == "" {
			continue
		}
		room[0] = text
		h[s.fields[i].name] = room[:1:1]
		room = room[1:]
	}
	return room
}

// ApplyEmpty sets every header to the empty value, so that a proxy that copies them overwrites what a client sent
// (HD-06, CVE-2026-30851).
func (s *Set) ApplyEmpty(h http.Header) {
	room := make([]string, len(s.fields)+1)
	for i := range s.fields {
		h[s.fields[i].name] = room[i : i+1 : i+1]
	}
	if s.assertion {
		h[Assertion] = room[len(s.fields):]
	}
}
