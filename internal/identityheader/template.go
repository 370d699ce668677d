package identityheader

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/nearest"
)

// template is a header's value: one of the rendered values, or text with several.
type template struct {
	single value
	parts  []part // nil: single
}

type part struct {
	text  string
	value value
}

var placeholders = map[string]value{
	"http.auth.user.id": vID, "http.auth.user.name": vName, "http.auth.user.email": vEmail,
	"http.auth.user.display_name": vDisplay, "http.auth.user.roles": vRoles, "http.truxe.session": vSession,
}

// maxTemplate bounds a template, in bytes.
const maxTemplate = 1024

// parse reads a template. The placeholders are ours alone: Caddy's replacer would also expand {env.*} and {file.*} that
// a user put into their own name (GHSA-j8px-rmrx-76h9).
func parse(text string) (template, error) {
	var t template
	if len(text) > maxTemplate {
		return t, fmt.Errorf("the value is longer than %d bytes", maxTemplate)
	}
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if strings.ContainsFunc(before, func(r rune) bool { return r < ' ' || r > '~' }) {
			return t, errors.New("the text must be printable ASCII")
		}
		if strings.Contains(before, "}") {
			return t, errors.New("a } has no {")
		}
		if before != "" {
			t.parts = append(t.parts, part{text: before})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return t, errors.New("a { has no }")
		}
		v, ok := placeholders[name]
		if !ok {
			names := slices.Sorted(maps.Keys(placeholders))
			return t, fmt.Errorf("unknown placeholder {%s}%s; there are {%s}", name, nearest.Hint(name, names),
				strings.Join(names, "}, {"))
		}
		t.parts = append(t.parts, part{value: v})
		rest = tail
	}
	if len(t.parts) == 1 && t.parts[0].text == "" {
		t = template{single: t.parts[0].value}
	}
	return t, nil
}

// expand fills in rendered values, which are never read as a template again.
func (t *template) expand(v *texts) string {
	if t.parts == nil {
		return v[t.single]
	}
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
		b.WriteString(v[p.value]) // "" for vNone
	}
	return b.String()
}
