package edges

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// compare says what is wrong with an answer; "" is nothing.
func (w *world) compare(c *config, r *request, o outcome, a answer) string {
	if a.status >= 500 && a.status != 502 && a.status != 503 {
		return fmt.Sprintf("answered %d", a.status)
	}
	if !o.seen {
		return ""
	}
	if o.no2xx && a.status < 300 {
		return fmt.Sprintf("answered %d below /.truxe/ or to another proxy, want no 2xx", a.status)
	}
	if r.forward != nil {
		return compareForward(c, r, o, a)
	}
	if len(a.seen) == 0 {
		switch {
		case a.status == 400 && o.pass != must:
		case o.pass == must:
			return fmt.Sprintf("answered %d, and nothing arrived; it may pass as %s", a.status, names(o.as))
		case len(o.statuses) > 0 && !o.statuses[a.status]:
			return fmt.Sprintf("answered %d, want one of %v", a.status, slices.Sorted(maps.Keys(o.statuses)))
		}
		return ""
	}
	s := a.seen[0]
	if bad := leak(r, s); bad != "" {
		return bad
	}
	got, bad := identity(c, s)
	switch {
	case bad != "":
		return bad
	case o.pass == never:
		return fmt.Sprintf("arrived at app %d as %v, want one of %v", s.app, got["REMOTE_USER"],
			slices.Sorted(maps.Keys(o.statuses)))
	case len(a.seen) > 1 || s.app != o.app:
		return fmt.Sprintf("arrived %d times, first at app %d, want app %d", len(a.seen), s.app, o.app)
	}
	if why := mismatch(got, o); why != "" {
		return why
	}
	return changed(r, s)
}

func names(people []*person) string {
	var all []string
	for _, p := range people {
		if p == nil {
			all = append(all, "nobody")
		} else {
			all = append(all, p.name)
		}
	}
	return strings.Join(all, " or ")
}

// identity is what an app is told about the caller. A forged header is an error, and so is one that looks like ours.
func identity(c *config, s arrival) (got map[string][]string, bad string) {
	owned := c.owned()
	got = map[string][]string{}
	for _, f := range append(slices.Clone(s.Header), s.Trailer...) {
		name := folded(f.Name)
		if !owned[name] && !strings.HasPrefix(name, "X_TRUXE_") {
			continue
		}
		if strings.Contains(f.Value, "forged") {
			return got, fmt.Sprintf("a forged %s: %s arrived", f.Name, f.Value)
		}
		got[name] = append(got[name], f.Value)
	}
	return got, ""
}

// mismatch returns why the identity fits none of the possible callers, or "".
func mismatch(got map[string][]string, o outcome) string {
	why := ""
	for _, who := range o.as {
		if why = differs(got, announced(o.judges, who), announced(append(o.could, o.judges...), who)); why == "" {
			return ""
		}
	}
	return fmt.Sprintf("told about the caller is %v, which is not %s: %s", got, names(o.as), why)
}

// differs compares what arrived with what has to and what may.
func differs(got, has, may map[string][]string) string {
	for name, values := range got {
		if len(values) != 1 || may[name] == nil || !slices.Contains(may[name], values[0]) &&
			!slices.Contains(may[name], anything) {
			return fmt.Sprintf("%s is %q, want %q", name, values, may[name])
		}
		if values[0] == "" {
			return name + " is empty"
		}
	}
	for name, values := range has {
		if got[name] == nil && !slices.Contains(values, anything) {
			return name + " is missing"
		}
	}
	return ""
}

var ownCookie = regexp.MustCompile(`(?i)__host-truxe`)

// leak says which credential of ours arrived at the upstream.
func leak(r *request, s arrival) string {
	text := s.Raw
	for _, f := range s.Header {
		if scheme, value, _ := strings.Cut(f.Value, " "); strings.EqualFold(scheme, "basic") {
			if raw, err := base64.StdEncoding.DecodeString(value); err == nil {
				text += string(raw)
			}
		}
	}
	for _, secret := range r.secrets() {
		if strings.Contains(text, secret) {
			return fmt.Sprintf("a credential of the gateway arrived (cookie %s, authorization %s)", r.cookie.kind, r.auth.kind)
		}
	}
	if ownCookie.MatchString(s.Raw) || strings.Contains(text, "trx_") {
		return "a cookie or token of the gateway's kind arrived"
	}
	return ""
}

// changed says what of an app's request did not arrive as it was sent.
func changed(r *request, s arrival) string {
	if s.Method != r.method {
		return fmt.Sprintf("the method arrived as %s", s.Method)
	}
	if normal(s.Target) != normal(r.target()) {
		return fmt.Sprintf("the target arrived as %s", s.Target)
	}
	for _, h := range appHeaders {
		if got := s.Get(h.name); len(got) != 1 || got[0] != h.value {
			return fmt.Sprintf("the app's %s arrived as %q", h.name, got)
		}
	}
	if got, want := strings.Join(s.Get("Cookie"), "; "), "app=1; theme=dark"; got != want {
		return fmt.Sprintf("the app's cookies arrived as %q", got)
	}
	if strings.HasPrefix(r.auth.kind, "app") {
		if got := s.Get("Authorization"); !slices.Equal(got, r.authorizations()) {
			return fmt.Sprintf("the app's Authorization arrived as %q", got)
		}
	}
	return ""
}

// normal encodes the bytes that Go encodes when it sends a path on.
func normal(target string) string {
	return strings.NewReplacer(`\`, "%5C", "%5c", "%5C").Replace(target)
}

// compareForward looks at the answer to another proxy.
func compareForward(c *config, r *request, o outcome, a answer) string {
	if len(a.seen) > 0 {
		return "a question of another proxy arrived at an app"
	}
	g := &gate{}
	if s := c.find(r.port, r.host); s != nil && s.forward != nil {
		g = s.forward
	}
	if a.status != 200 {
		allowed := maps.Clone(o.statuses)
		if r.believed(g.from) == "original" { // nginx takes only 401 and 403
			if allowed[302] {
				allowed[401] = true
				delete(allowed, 302)
			}
			if allowed[400] {
				allowed[403] = true
			}
		}
		switch {
		case o.pass == must:
			return fmt.Sprintf("the other proxy is told %d, want 200 as %s", a.status, names(o.as))
		case len(allowed) > 0 && !allowed[a.status] && !o.no2xx && a.status != 400:
			return fmt.Sprintf("the other proxy is told %d, want one of %v", a.status, slices.Sorted(maps.Keys(allowed)))
		}
		return ""
	}
	if o.pass == never {
		return fmt.Sprintf("the other proxy is told 200, want one of %v", slices.Sorted(maps.Keys(o.statuses)))
	}
	got := map[string][]string{}
	for name, values := range a.header {
		for _, f := range g.fields() {
			if folded(f.name) == folded(name) && values[0] != "" {
				got[folded(name)] = values
			}
		}
	}
	return mismatch(got, o)
}

// named reports whether the configuration names an origin (ED-03): tickets may leave for no other.
func (w *world) named(c *config, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	port, name := u.Port(), strings.ToLower(u.Hostname())
	for _, s := range c.sites {
		allowed := map[string][]string{"https": {"", "443", w.ports(`{{port "https"}}`)},
			"second": {w.ports(`{{port "second"}}`)}, "plain": {"", "443"}}[s.port]
		if s.public != "" {
			allowed = []string{s.public}
		}
		host := s.host
		if rest, ok := strings.CutPrefix(host, "*"); ok {
			first, _, _ := strings.Cut(name, ".")
			host = first + rest
		}
		if u.Scheme == "https" && slices.Contains(allowed, port) &&
			(host != "" && host == name || s.forward != nil && (name == forwardHost || name == verifyHost)) {
			return true
		}
	}
	return name == portalHost
}
