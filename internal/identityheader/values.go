package identityheader

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Values are a principal's header values, rendered once and shared by all its requests.
type Values struct {
	id, name, email, display, roles, rolesBar, session, amr string
	// own holds the default set as header slices; their capacity equals their length, so an append copies.
	own map[string][]string
}

// Render encodes a principal's values.
func Render(p *identity.Principal) *Values {
	v := &Values{id: encode(p.UserID, false), name: encode(p.Username, false), email: encode(p.Email, false), display: encode(p.Name, false),
		session: encode(p.SessionID, false), amr: encode(strings.Join(p.AMR, " "), false)}
	parts := make([]string, len(p.Roles))
	for i, r := range p.Roles {
		parts[i] = encode(r, true)
	}
	v.roles, v.rolesBar = strings.Join(parts, ","), strings.Join(parts, "|")
	v.own = map[string][]string{}
	for _, f := range ourOwn {
		t, _ := parse(f.Template)
		v.own[f.Name] = []string{t.expand(v)}
	}
	return v
}

// encode makes one line of printable ASCII.
func encode(s string, list bool) string {
	clean := true
	for i := range len(s) {
		if mustEncode(s[i], list) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; mustEncode(c, list) {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func mustEncode(c byte, list bool) bool {
	return c < ' ' || c > '~' || c == '%' || list && (c == ',' || c == '|')
}

// Apply sets the headers. The default set costs no allocation beyond the map's own growth.
func (s *Set) Apply(h http.Header, v *Values) {
	for i := range s.fields {
		f := &s.fields[i]
		if own, ok := v.own[f.name]; ok && f.value.isOwn {
			h[f.name] = own
			continue
		}
		h[f.name] = []string{f.value.expand(v)}
	}
}

// ApplyEmpty sets every header to the empty value, so that a proxy that copies them overwrites what a client sent
// (HD-06, CVE-2026-30851).
func (s *Set) ApplyEmpty(h http.Header) {
	for i := range s.fields {
		h[s.fields[i].name] = []string{""}
	}
}

// template is text with placeholders.
type template struct {
	parts []part
	isOwn bool // one of the default set's own values
}

type part struct {
	text string
	get  func(*Values) string
}

var placeholders = map[string]func(*Values) string{
	"http.auth.user.id":           func(v *Values) string { return v.id },
	"http.auth.user.name":         func(v *Values) string { return v.name },
	"http.auth.user.email":        func(v *Values) string { return v.email },
	"http.auth.user.display_name": func(v *Values) string { return v.display },
	"http.auth.user.roles":        func(v *Values) string { return v.roles },
	"http.truxe.roles_bar":        func(v *Values) string { return v.rolesBar },
	"http.truxe.session":          func(v *Values) string { return v.session },
	"http.truxe.amr":              func(v *Values) string { return v.amr },
}

var errBrace = errors.New("a { has no }")

// parse reads a template. The placeholders are ours alone: Caddy's replacer would also expand {env.*} and {file.*} that
// a user put into their own name (GHSA-j8px-rmrx-76h9).
func parse(text string) (template, error) {
	var t template
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			if encode(before, false) != before && !strings.Contains(before, "%") {
				return t, errors.New("the text must be printable ASCII")
			}
			t.parts = append(t.parts, part{text: before})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return t, errBrace
		}
		get, ok := placeholders[name]
		if !ok {
			return t, fmt.Errorf("unknown placeholder {%s}; use {http.auth.user.id}, .name, .email, .display_name, .roles or {http.truxe.session}", name)
		}
		t.parts = append(t.parts, part{get: get})
		rest = tail
	}
	for _, f := range ourOwn {
		t.isOwn = t.isOwn || f.Template == text
	}
	return t, nil
}

func (t template) expand(v *Values) string {
	if len(t.parts) == 1 && t.parts[0].get != nil {
		return t.parts[0].get(v)
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.get != nil {
			b.WriteString(p.get(v))
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}
