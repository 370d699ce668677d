package edges

import (
	"fmt"
	"strings"
)

// config is a drawn configuration.
type config struct {
	portal  bool // single sign-on at auth.test
	trusted bool // 127.0.0.2 is a trusted proxy; only then sites without TLS and forward_auth are drawn
	sites   []*site
}

// site is one site block.
type site struct {
	host    string // "one.test", "*.wild.test", "" for a catch-all
	port    string // the name of its listener: "https", "second" or "plain"
	public  string // the port of its `origin`, "" without one
	forward *gate  // a truxe forward_auth for forwardHost, and nothing else
	body    []item
}

// item is one directive in the order in which Caddy runs them: exactly one field is set.
type item struct {
	gate  *gate
	block *block
	app   int  // 1, 2, …: reverse_proxy to that upstream
	pages bool // handle /.truxe/* { truxe portal }
}

// block is a handle or route block. Caddy runs one handle of a list, and every route that matches.
type block struct {
	kind  string // "handle" or "route"
	path  string // its path matcher, "" for all
	items []item
}

// gate is one truxe directive.
type gate struct {
	match   *matcher
	public  []string
	roles   []string // allow role
	users   []string // allow user
	headers string   // "", "none" or a preset
	custom  []field  // header <name> <template>
	from    string   // forward_auth: the proxy that asks
}

// matcher is what a truxe directive's named matcher says; every condition that is set must hold.
type matcher struct {
	paths    []string
	notPaths []string
	method   string
	header   field
}

type field struct{ name, value string }

const (
	portalHost  = "auth.test"
	forwardHost = "fa.test"    // protected by another proxy
	verifyHost  = "proxy.test" // where that proxy asks
)

// caddyfile writes a configuration down. The ports are placeholders of the rig.
func (c *config) caddyfile(upstreams []string) string {
	var w strings.Builder
	w.WriteString("{\n\tgrace_period 1s\n")
	if c.trusted {
		w.WriteString("\tservers {\n\t\ttrusted_proxies static 127.0.0.2/32\n\t\ttrusted_proxies_strict\n\t}\n")
	}
	w.WriteString("\ttruxe {\n\t\tusers_file {{dir}}/users.yaml\n\t\tsession {\n\t\t\tlimit 500\n\t\t}\n" +
		"\t\tjwt {\n\t\t\tissuer https://issuer.test\n\t\t\taccess 1h\n\t\t}\n\t\tpassword {\n\t\t\thash bcrypt 10\n\t\t}\n")
	if c.portal {
		w.WriteString("\t\tportal " + portalHost + "\n")
	}
	w.WriteString("\t}\n}\n")
	if c.portal {
		w.WriteString(portalHost + " {\n\ttruxe portal\n}\n")
	} else {
		w.WriteString(portalHost + " {\n\trespond 404\n}\n")
	}
	for _, s := range c.sites {
		w.WriteString(s.address() + " {\n")
		if s.forward != nil {
			w.WriteString("\ttruxe forward_auth {\n\t\thosts " + forwardHost + "\n")
			if s.forward.from != "" {
				w.WriteString("\t\tfrom " + s.forward.from + "\n")
			}
			s.forward.options(&w, "\t\t")
			w.WriteString("\t}\n")
		}
		names := 0
		body := &strings.Builder{}
		write(body, s.body, "\t", upstreams, &names)
		w.WriteString(s.withOrigin(body.String()))
		w.WriteString("}\n")
	}
	return w.String()
}

// withOrigin writes the site's origin into its first truxe directive.
func (s *site) withOrigin(body string) string {
	at := strings.Index(strings.ReplaceAll(body, "truxe portal", "_____ portal"), "truxe ")
	if s.public == "" || at < 0 {
		return body
	}
	end := at + strings.Index(body[at:], "\n") + 1
	return body[:end] + "\torigin https://" + s.host + ":" + s.public + "\n" + body[end:]
}

func (s *site) address() string {
	if s.forward != nil {
		return verifyHost + ", " + forwardHost
	}
	switch s.port {
	case "second":
		return fmt.Sprintf(`https://%s:{{port "second"}}`, s.host)
	case "plain":
		return fmt.Sprintf(`http://%s:{{port "plain"}}`, s.host)
	}
	return "https://" + s.host
}

func write(w *strings.Builder, items []item, indent string, upstreams []string, names *int) {
	for _, i := range items {
		switch {
		case i.gate != nil:
			i.gate.write(w, indent, names)
		case i.block != nil:
			fmt.Fprintf(w, "%s%s {\n", indent, strings.TrimSuffix(i.block.kind+" "+i.block.path, " "))
			write(w, i.block.items, indent+"\t", upstreams, names)
			w.WriteString(indent + "}\n")
		case i.pages:
			fmt.Fprintf(w, "%shandle /.truxe/* {\n%s\ttruxe portal\n%s}\n", indent, indent, indent)
		default:
			fmt.Fprintf(w, "%sreverse_proxy %s\n", indent, upstreams[i.app-1])
		}
	}
}

func (g *gate) write(w *strings.Builder, indent string, names *int) {
	word := ""
	if m := g.match; m != nil {
		*names++
		word = fmt.Sprintf(" @m%d", *names)
		fmt.Fprintf(w, "%s@m%d {\n", indent, *names)
		if len(m.paths) > 0 {
			fmt.Fprintf(w, "%s\tpath %s\n", indent, strings.Join(m.paths, " "))
		}
		if len(m.notPaths) > 0 {
			fmt.Fprintf(w, "%s\tnot path %s\n", indent, strings.Join(m.notPaths, " "))
		}
		if m.method != "" {
			fmt.Fprintf(w, "%s\tmethod %s\n", indent, m.method)
		}
		if m.header.name != "" {
			fmt.Fprintf(w, "%s\theader %s %s\n", indent, m.header.name, m.header.value)
		}
		w.WriteString(indent + "}\n")
	}
	fmt.Fprintf(w, "%struxe%s {\n", indent, word)
	g.options(w, indent+"\t")
	w.WriteString(indent + "}\n")
}

func (g *gate) options(w *strings.Builder, indent string) {
	for _, p := range g.public {
		fmt.Fprintf(w, "%spublic %s\n", indent, p)
	}
	for _, r := range g.roles {
		fmt.Fprintf(w, "%sallow role %s\n", indent, r)
	}
	for _, u := range g.users {
		fmt.Fprintf(w, "%sallow user %s\n", indent, u)
	}
	switch g.headers {
	case "":
	case "none":
		w.WriteString(indent + "headers none\n")
	default:
		w.WriteString(indent + "headers preset " + g.headers + "\n")
	}
	for _, h := range g.custom {
		fmt.Fprintf(w, "%sheader %s %s\n", indent, h.name, h.value)
	}
}

// gates are all truxe directives of a configuration that set identity headers.
func (c *config) gates() []*gate {
	var all []*gate
	var walk func([]item)
	walk = func(items []item) {
		for _, i := range items {
			if i.gate != nil {
				all = append(all, i.gate)
			}
			if i.block != nil {
				walk(i.block.items)
			}
		}
	}
	for _, s := range c.sites {
		if s.forward != nil {
			all = append(all, s.forward)
		}
		walk(s.body)
	}
	return all
}
