package caddymodule

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// appDown returns the status of an error by which reverse_proxy reports that the app does not answer. It is 0 for any
// other error, and where the configuration's error routes (handle_errors) answer it.
func appDown(r *http.Request, err error) int {
	failed, ok := errors.AsType[caddyhttp.HandlerError](err)
	if !ok {
		return 0
	}
	// Trace is where the error was made (caddyhttp/errors.go). `error 503` and other handlers make theirs elsewhere.
	if !strings.HasPrefix(failed.Trace, "reverseproxy.") {
		return 0
	}
	switch failed.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0
	}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return 0
	}
	if server.Errors != nil && answersAny(server.Errors.Routes, asErrorRoutesSee(server, r, err)) {
		return 0
	}
	return failed.StatusCode
}

// asErrorRoutesSee copies a request as the server hands it to its error routes: with the error, and as it was before
// any rewrite (caddyhttp/server.go).
func asErrorRoutesSee(server *caddyhttp.Server, r *http.Request, err error) *http.Request {
	r = server.Errors.WithError(r, err)
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		r.Method, r.RequestURI, r.RemoteAddr = original.Method, original.RequestURI, original.RemoteAddr
		if original.URL != nil {
			u := new(url.URL)
			*u = *original.URL
			r.URL = u
		}
	}
	return r
}

// answersAny reports whether a route with a handler matches. A matcher that fails counts: its error reaches the log.
func answersAny(routes caddyhttp.RouteList, r *http.Request) bool {
	for _, route := range routes {
		if matches, err := route.MatcherSets.AnyMatchWithError(r); err == nil && !matches {
			continue
		}
		for _, h := range route.Handlers {
			if sub, ok := h.(*caddyhttp.Subroute); !ok || answersAny(sub.Routes, r) {
				return true
			}
		}
	}
	return false
}
