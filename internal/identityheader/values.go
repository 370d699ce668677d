package identityheader

import (
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// value names one of a principal's rendered values.
type value uint8

const (
	vNone value = iota // always ""
	vID
	vName
	vEmail
	vDisplay
	vRoles      // roles divided by ","
	vRolesBar   // by "|"
	vRolesSpace // by " "
	vSession
	vAMR // methods divided by ","
	valueCount
)

// Values are a principal's header values, rendered once and shared by all its requests. They are read-only.
type Values struct {
	text texts
	utf8 *texts // nil: the same as text
}

type texts [valueCount]string

// in returns the values in the encoding of a site.
func (v *Values) in(utf8 bool) *texts {
	if utf8 && v.utf8 != nil {
		return v.utf8
	}
	return &v.text
}

// Render encodes a principal's values; for nil they are empty.
func Render(p *identity.Principal) *Values {
	v := &Values{}
	if p == nil {
		return v
	}
	v.text = render(p)
	if v.text.encoded() {
		utf8 := v.text
		for i := range utf8 {
			utf8[i] = readable(utf8[i])
		}
		if utf8 != v.text {
			v.utf8 = &utf8
		}
	}
	return v
}

func render(p *identity.Principal) (t texts) {
	t[vID], t[vName] = encode(p.UserID, 0), encode(p.Username, 0)
	t[vEmail], t[vDisplay] = encode(p.Email, 0), encode(p.Name, 0)
	if p.SessionID != "" { // another issuer's methods are its own words, and apps look for "mfa" in the text (MF-21)
		t[vSession], t[vAMR] = encode(p.SessionID, 0), list(p.AMR, ',')
	}
	t[vRoles], t[vRolesBar], t[vRolesSpace] = list(p.Roles, ','), list(p.Roles, '|'), list(p.Roles, ' ')
	return t
}

// encoded reports whether a value has a byte that was percent-encoded.
func (t *texts) encoded() bool {
	for _, text := range t {
		if strings.IndexByte(text, '%') >= 0 {
			return true
		}
	}
	return false
}

// list joins members; one that is empty says nothing and is left out.
func list(members []string, separator byte) string {
	var b strings.Builder
	for _, m := range members {
		if m == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(separator)
		}
		b.WriteString(encode(m, separator))
	}
	return b.String()
}

// encode returns one line of printable ASCII; a member of a list (separator not 0) has no separator of any list in it.
func encode(s string, separator byte) string {
	i := 0
	for i < len(s) && !mustEncode(s, i, separator) {
		i++
	}
	if i == len(s) {
		return s
	}
	const hex = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		if c := s[i]; mustEncode(s, i, separator) {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// mustEncode: a space at an end would be cut by every HTTP parser, so that "bob " would arrive as "bob".
func mustEncode(s string, i int, separator byte) bool {
	c := s[i]
	return c < ' ' || c > '~' || c == '%' || separator != 0 && (c == separator || c == ',' || c == '|') || c == ' ' &&
		(i == 0 || i == len(s)-1)
}
