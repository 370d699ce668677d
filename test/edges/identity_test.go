package edges

import "strings"

// fields are the identity headers of a gate: name and template, as docs/reference/headers.md and FIELD.md list them.
func (g *gate) fields() []field {
	var out []field
	switch g.headers {
	case "":
		out = []field{{"Remote-User", "name"}, {"Remote-Name", "display"}, {"Remote-Email", "email"},
			{"Remote-Groups", "roles"},
			{"X-Truxe-User-Id", "id"}, {"X-Truxe-Session", "opaque"}, {"X-Truxe-Amr", "opaque"}}
	case "grafana":
		out = []field{{"X-WEBAUTH-USER", "name"}, {"X-WEBAUTH-EMAIL", "email"}, {"X-WEBAUTH-NAME", "display"},
			{"X-WEBAUTH-GROUPS", "roles"}}
	case "gitea":
		out = []field{{"X-WEBAUTH-USER", "name"}, {"X-WEBAUTH-EMAIL", "email"}, {"X-WEBAUTH-FULLNAME", "display"}}
	case "jenkins":
		out = []field{{"X-Forwarded-User", "name"}, {"X-Forwarded-Mail", "email"}, {"X-Forwarded-DisplayName", "display"},
			{"X-Forwarded-Groups", "bars"}}
	case "paperless":
		out = []field{{"Remote-User", "name"}}
	}
	for _, c := range g.custom {
		word := map[string]string{"{http.auth.user.name}": "name", "{http.auth.user.roles}": "roles",
			"{http.auth.user.email}": "email"}[c.value]
		out = append(out, field{c.name, word})
	}
	return out
}

// value is what a header of a person holds; "" is a header that is not sent, anything stands for any text of the
// gateway.
const anything = "*"

func (p *person) value(word string) string {
	switch word {
	case "name":
		return p.name
	case "display":
		return strings.ReplaceAll(p.display, "ë", "%C3%AB")
	case "email":
		return p.email
	case "roles":
		return strings.Join(p.roles, ",")
	case "bars":
		return strings.Join(p.roles, "|")
	case "id":
		return p.id
	}
	return anything
}

// folded is a header's name as CGI, WSGI and PHP see it.
func folded(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			return c - 'a' + 'A'
		}
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, name)
}

// owned are the names, folded, that no client may send under a configuration.
func (c *config) owned() map[string]bool {
	all := map[string]bool{}
	for _, g := range c.gates() {
		for _, f := range g.fields() {
			all[folded(f.name)] = true
		}
	}
	return all
}

// announced are the allowed values by folded name when these gates announce a person.
func announced(gates []*gate, who *person) map[string][]string {
	all := map[string][]string{}
	if who == nil {
		return all
	}
	for _, g := range gates {
		for _, f := range g.fields() {
			if v := who.value(f.value); v != "" {
				all[folded(f.name)] = append(all[folded(f.name)], v)
			}
		}
	}
	return all
}
