package caddymodule

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// covers reports whether the directive's matcher matches a request, or would if its path were read as another server reads
// it (R2): Caddy's path matcher sees one reading, and the app may see another. A request whose path cannot be judged is
// covered, so that it is refused.
func (g *Gate) covers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if len(g.matchers) == 0 {
		return true, nil
	}
	if matches, err := g.matchers.AnyMatchWithError(r); matches || err != nil {
		return matches, err
	}
	path, err := policy.Canonical(r)
	if err != nil {
		return true, nil
	}
	readings := path.Spellings()
	if len(readings) == 0 {
		return false, nil
	}
	probe := probeOf(w, r)
	for _, reading := range readings {
		probe.URL.Path, probe.URL.RawPath = reading, ""
		if matches, err := g.matchers.AnyMatchWithError(probe); matches || err != nil {
			return true, nil
		}
		decoded, err := url.PathUnescape(reading)
		if err != nil || decoded == reading {
			continue
		}
		probe.URL.Path, probe.URL.RawPath = decoded, reading // for patterns with percent signs, which compare escaped paths
		if matches, err := g.matchers.AnyMatchWithError(probe); matches || err != nil {
			return true, nil
		}
	}
	return false, nil
}

// probeOf returns a copy of a request whose path can be changed. Placeholders such as {path} follow that path, and what
// matchers write, such as the groups of a regular expression, stays in the copy.
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
	*probe = *probe.WithContext(context.WithValue(probe.Context(), caddyhttp.OriginalRequestCtxKey, ctx.Value(caddyhttp.OriginalRequestCtxKey)))
	return probe
}
