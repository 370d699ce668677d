package caddymodule

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// covers reports whether the directive's matcher matches a request, or would if its path and host were read as another
// server reads them (R2): Caddy's matchers see one spelling, and the app may see another. A request whose path or host
// cannot be judged is covered, so that it is refused.
func (g *Gate) covers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if len(g.matchers) == 0 {
		return true, nil
	}
	path, err := gate.PathOf(r)
	if err != nil {
		return true, nil //nolint:nilerr // the gate refuses what it cannot read
	}
	host, ok := foldedHost(r.Host)
	if !ok {
		return true, nil
	}
	readings := path.Spellings()
	if len(readings) == 0 && path.Canonical != r.URL.Path { // no path at all, which is "/" (RFC 9112 3.2.2)
		readings = []string{path.Canonical}
	}
	if len(readings) > 0 && onlyPaths(g.matchers) {
		return g.tooCostly(readings, false) || g.coversPath(r, readings, 1+len(path.Readings)), nil
	}
	if matches, err := g.matchers.AnyMatchWithError(r); matches || err != nil {
		return matches, err
	}
	folded := host != r.Host && !onlyPaths(g.matchers)
	if len(readings) == 0 && !folded {
		return false, nil
	}
	if g.tooCostly(readings, folded) {
		return true, nil
	}
	probe := probeOf(w, r)
	if g.coversAny(probe, readings) {
		return true, nil
	}
	if !folded {
		return false, nil
	}
	probe.Host, probe.URL.Path, probe.URL.RawPath = host, r.URL.Path, r.URL.RawPath
	if matches, err := g.matchers.AnyMatchWithError(probe); matches || err != nil {
		return true, nil //nolint:nilerr // the gate decides what a matcher cannot
	}
	return g.coversAny(probe, readings), nil
}

// coversPath reports whether a matcher of nothing but paths matches a request, or would with one of these paths. What
// the first ones are when they are decoded once more is among them.
func (g *Gate) coversPath(r *http.Request, readings []string, first int) bool {
	probe, u := *r, *r.URL
	probe.URL = &u
	if matches, err := g.matchers.AnyMatchWithError(&probe); matches || err != nil {
		return true
	}
	for i, reading := range readings {
		if u.Path = reading; reading != r.URL.Path {
			if matches, err := g.matchers.AnyMatchWithError(&probe); matches || err != nil {
				return true
			}
		}
		if i < first {
			continue
		}
		decoded, err := url.PathUnescape(reading)
		if err != nil || decoded == reading {
			continue
		}
		u.Path = decoded
		if matches, err := g.matchers.AnyMatchWithError(&probe); matches || err != nil {
			return true
		}
	}
	return false
}

// onlyPaths reports whether the answer of matchers depends on the decoded path alone: not on the host, nor on the path
// as it is escaped, nor on placeholders. They leave nothing behind either.
func onlyPaths(sets caddyhttp.MatcherSets) bool {
	for _, set := range sets {
		for _, m := range set {
			var patterns caddyhttp.MatchPath
			switch m := m.(type) {
			case caddyhttp.MatchPath:
				patterns = m
			case *caddyhttp.MatchPath:
				patterns = *m
			default:
				return false
			}
			for _, p := range patterns {
				if strings.ContainsAny(p, "{%") {
					return false
				}
			}
		}
	}
	return true
}

// coversAny reports whether the matcher matches a probe with one of these paths. A matcher that fails does.
func (g *Gate) coversAny(probe *http.Request, readings []string) bool {
	for _, reading := range readings {
		probe.URL.Path, probe.URL.RawPath = reading, ""
		if matches, err := g.matchers.AnyMatchWithError(probe); matches || err != nil {
			return true
		}
		decoded, err := url.PathUnescape(reading)
		if err != nil || decoded == reading {
			continue
		}
		probe.URL.Path, probe.URL.RawPath = decoded, reading // for patterns with percent signs, which compare escaped paths
		if matches, err := g.matchers.AnyMatchWithError(probe); matches || err != nil {
			return true
		}
	}
	return false
}

// maxMatching bounds the text that is matched for one request, in bytes: readings, and what each costs besides, times
// patterns. An app whose paths have no escapes, or shorter ones, has room for hundreds of patterns.
const (
	maxMatching     = 32 << 10
	matchingOneMore = 64
)

// tooCostly reports whether asking about all readings of a path would take longer than a stranger may make it take
// (R14).
func (g *Gate) tooCostly(readings []string, twoHosts bool) bool {
	text := 0
	for _, reading := range readings {
		text += len(reading) + matchingOneMore
	}
	if twoHosts {
		text *= 2
	}
	return text*max(1, patternsIn(g.matchers)) > maxMatching
}

// patternsIn counts the patterns of path matchers; any other matcher is one.
func patternsIn(sets caddyhttp.MatcherSets) int {
	n := 0
	for _, set := range sets {
		for _, m := range set {
			switch m := m.(type) {
			case caddyhttp.MatchPath:
				n += len(m)
			case *caddyhttp.MatchPath:
				n += len(*m)
			case *caddyhttp.MatchNot:
				n += patternsIn(m.MatcherSets)
			default:
				n++
			}
		}
	}
	return n
}

// foldedHost returns a host as policies compare it, with the port as it was sent; false where it is no host name. A
// request of HTTP/1.0 may have none.
func foldedHost(host string) (string, bool) {
	if host == "" {
		return "", true
	}
	folded, err := policy.FoldHost(host)
	if err != nil {
		return "", false
	}
	if _, port, err := net.SplitHostPort(host); err == nil {
		return net.JoinHostPort(folded, port), true
	}
	if host[0] == '[' {
		folded = "[" + folded + "]"
	}
	return folded, true
}

// probeOf returns a copy of a request, whose path and host can be changed. Placeholders such as {path} and {host}
// follow them, and what matchers write, such as the groups of a regular expression, stays in the copy.
func probeOf(w http.ResponseWriter, r *http.Request) *http.Request {
	copied, u := *r, *r.URL
	copied.URL = &u
	ctx := r.Context()
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	placeholders := caddy.NewReplacer()
	probe := caddyhttp.PrepareRequest(&copied, placeholders, w, server)
	if vars, ok := ctx.Value(caddyhttp.VarsCtxKey).(map[string]any); ok {
		maps.Copy(probe.Context().Value(caddyhttp.VarsCtxKey).(map[string]any), vars)
	}
	if before, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		placeholders.Map(before.Get) // what other handlers have set
	}
	original := ctx.Value(caddyhttp.OriginalRequestCtxKey)
	*probe = *probe.WithContext(context.WithValue(probe.Context(), caddyhttp.OriginalRequestCtxKey, original))
	return probe
}
