package policyfile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"
	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// where reads which requests a rule is about.
func (l *loader) where(r *reader, keys map[string]pair, what string, rule *policy.Rule) {
	if k, ok := keys["hosts"]; ok {
		for _, w := range r.texts(k.value, "hosts of "+what) {
			host, err := checkHost(w.text)
			if err != nil {
				r.fail(w.node, "host %s in %s: %v", quote(w.text), what, err)
				continue
			}
			rule.Hosts = append(rule.Hosts, host)
		}
	}
	if k, ok := keys["methods"]; ok {
		for _, w := range r.texts(k.value, "methods of "+what) {
			if err := checkMethod(w.text); err != nil {
				r.fail(w.node, "method %s in %s: %v", quote(w.text), what, err)
				continue
			}
			rule.Methods = append(rule.Methods, w.text)
		}
	}
	if k, ok := keys["paths"]; ok {
		for _, w := range r.texts(k.value, "paths of "+what) {
			if err := checkPath(w.text); err != nil {
				r.fail(w.node, "path %s in %s: %v", quote(w.text), what, err)
				continue
			}
			rule.Globs = append(rule.Globs, w.text)
		}
	}
	if k, ok := keys["networks"]; ok {
		rule.From = l.named(r, k.value, "networks of "+what)
	}
}

// checkHost returns a host in the form that requests are compared with (AZ-05).
func checkHost(text string) (string, error) {
	name, isAddress := strings.CutPrefix(text, "[")
	switch {
	case strings.ContainsAny(text, "/@ "):
		return "", fmt.Errorf("write the name alone, such as orders.example.com")
	case strings.Contains(text, "*"):
		return "", fmt.Errorf("wildcards are not taken; name each host, or leave hosts out for every host of the gateway")
	case isAddress && !strings.HasSuffix(name, "]"), !isAddress && strings.Count(text, ":") == 1:
		return "", fmt.Errorf("write it without the port; a rule holds on every port")
	case !isAddress && strings.Contains(text, ":"):
		return "", fmt.Errorf("write an IPv6 address in brackets, such as [2001:db8::1]")
	}
	if ascii, err := idna.Lookup.ToASCII(text); err == nil && !strings.EqualFold(ascii, text) {
		return "", fmt.Errorf("browsers send this name as %s; write that", ascii)
	}
	return policy.FoldHost(text)
}

// methods are those of the IANA registry and those that caches and UPnP are known for. A rule for a method that no
// client sends does nothing, so a slip in one could leave open what it was to close.
var methods = strings.Fields(`GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT QUERY
	ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE
	MOVE ORDERPATCH PROPFIND PROPPATCH REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL
	PURGE BAN NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH`)

func checkMethod(text string) error {
	switch upper := strings.ToUpper(text); {
	case slices.Contains(methods, text):
		return nil
	case slices.Contains(methods, upper): // AZ-06
		return fmt.Errorf("methods are compared exactly; write %s", upper)
	default:
		return fmt.Errorf("it is no HTTP method%s", hint(upper, methods))
	}
}

func checkPath(text string) error {
	err := policy.CheckGlob(text)
	if err == nil {
		return nil
	}
	for _, better := range []string{"/" + strings.TrimLeft(text, "/"), strings.TrimRight(text, "*") + "/**",
		"/" + strings.Trim(text, "/*") + "/**"} {
		if better != text && policy.CheckGlob(better) == nil {
			return fmt.Errorf("%w; did you mean %s?", err, quote(better))
		}
	}
	return err
}

// oneOrMore reads a text or a list of them.
func (r *reader) oneOrMore(n *yaml.Node, what string) []word {
	if n.Kind == yaml.SequenceNode {
		return r.texts(n, what)
	}
	if w, ok := r.text(n, what); ok {
		return []word{w}
	}
	return nil
}

var days = regexp.MustCompile(`^(\d{1,4})d(.*)$`)

// duration reads Caddy's notation, which knows days.
func (r *reader) duration(n *yaml.Node, what string) time.Duration {
	w, ok := r.text(n, what)
	if !ok {
		return 0
	}
	var d time.Duration
	rest := w.text
	if m := days.FindStringSubmatch(rest); m != nil {
		for _, c := range m[1] {
			d = d*10 + time.Duration(c-'0')
		}
		d, rest = d*24*time.Hour, m[2]
	}
	more, err := time.Duration(0), error(nil)
	if rest != "" {
		more, err = time.ParseDuration(rest)
	}
	const longest = 10 * 365 * 24 * time.Hour
	if err != nil || more < 0 || more > longest || d+more <= 0 || d+more > longest {
		r.fail(n, "%s: %s is not a duration such as 10m, 1h or 30d", what, quote(w.text))
		return 0
	}
	return d + more
}
