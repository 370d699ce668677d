package caddymodule

import (
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/origin"
)

func init() {
	httpcaddyfile.RegisterDirective("truxe", parseDirective)
	// After redir, rewrite and uri, which come from the operator; before request_header, handle and reverse_proxy.
	httpcaddyfile.RegisterDirectiveOrder("truxe", httpcaddyfile.Before, "basic_auth")
}

// parseDirective reads:
//
//	truxe [<matcher>] { <site options> }
//	truxe portal
//	truxe forward_auth { hosts <host...> ; from <proxy> ; <site options> }
//
// The gateway's own pages and the removal of forged identity headers hold for the whole site, whatever the matcher:
// a request outside it is not judged, yet it must not smuggle an identity to the app either (CADDY-FACTS section 2). So
// the handler has the matcher, and not the route that it is in.
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	h.Next() // ExtractMatcherSet starts over: this is the directive's name again
	mode := ""
	if h.NextArg() {
		mode = h.Val()
	}
	if h.NextArg() {
		return nil, h.ArgErr()
	}
	if mode != "" && matcher != nil {
		return nil, h.Errf("truxe %s takes no matcher: its URLs are fixed", mode)
	}
	site := Site{}
	switch mode {
	case "":
		if err := readBlock(h.Dispenser, "option", site.words(h.Dispenser)); err != nil {
			return nil, err
		}
		judge := &Gate{Site: site}
		if matcher != nil {
			judge.MatcherSetsRaw = caddyhttp.RawMatcherSets{matcher}
		}
		return route(&Portal{}, judge), nil
	case "portal":
		if err := readBlock(h.Dispenser, "option of truxe portal", words{}); err != nil {
			return nil, err
		}
		return route(&Portal{Only: true}), nil
	case "forward_auth":
		fa := &ForwardAuth{}
		w := site.words(h.Dispenser)
		w["hosts"] = func() error { return someArgs(h.Dispenser, &fa.Hosts) }
		w["from"] = func() error { return choice(h.Dispenser, &fa.From, gate.Proxies...) }
		for _, word := range []string{"rate_limit", "security_headers", "preflight"} {
			delete(w, word) // these act on the app's answers, which the other proxy sends
		}
		if err := readBlock(h.Dispenser, "option of truxe forward_auth", w); err != nil {
			return nil, err
		}
		if len(fa.Hosts) == 0 {
			return nil,
				h.Err("truxe forward_auth needs `hosts`: the names that the other proxy protects; no others are believed")
		}
		fa.Site = site
		return route(fa, &Portal{Only: true}), nil
	}
	return nil, h.Errf("unknown mode %q of truxe%s", mode, nearest.Hint(mode, []string{"portal", "forward_auth"}))
}

// words are the site options.
func (s *Site) words(d *caddyfile.Dispenser) words {
	w := words{
		"origin":  func() error { return s.readOrigin(d) },
		"public":  func() error { return someArgs(d, &s.Public) },
		"allow":   func() error { return s.readAllow(d) },
		"passive": func() error { return someArgs(d, &s.Passive) },
		"headers": func() error {
			args := d.RemainingArgs()
			switch {
			case len(args) == 1 && (args[0] == "default" || args[0] == "none"):
				s.Headers = args[0]
			case len(args) == 2 && args[0] == "preset":
				s.Headers = args[1]
			default:
				return d.Err("headers is `default`, `none` or `preset <name>`")
			}
			return nil
		},
		"header_encoding": func() error { return choice(d, &s.HeaderEncoding, "percent", "utf8") },
		"header": func() error {
			var h Header
			if !d.AllArgs(&h.Name, &h.Value) {
				return d.Err("header is `header <name> <value>`, for example: header X-WEBAUTH-USER {http.auth.user.name}")
			}
			s.Header = append(s.Header, h)
			return nil
		},
		"security_headers": func() error {
			var v string
			err := choice(d, &v, "on", "off")
			s.SecurityHeaders = v == "on"
			return err
		},
		"require": func() error { return s.readRequire(d) },
		"assertion": func() error {
			var v string
			err := choice(d, &v, "on", "off")
			s.Assertion = v == "on"
			return err
		},
		"policy":    func() error { return someArgs(d, &s.Policies) },
		"mode":      func() error { return choice(d, &s.Mode, "enforce", "report") },
		"preflight": func() error { return choice(d, &s.Preflight, "deny", "pass") },
		"rate_limit": func() error {
			args := d.RemainingArgs()
			if len(args) != 2 && (len(args) != 4 || args[2] != "per" || args[3] != "user" && args[3] != "ip") {
				return d.Err("rate_limit is `<events> <window> [per user|ip]`")
			}
			n, err := parseNumber(d, "rate_limit", args[0], 1, 1_000_000)
			if err != nil {
				return err
			}
			window, err := parseDuration(d, "rate_limit", args[1])
			if err != nil {
				return err
			}
			s.RateLimit = &SiteRate{Events: n, Window: window}
			if len(args) == 4 {
				s.RateLimit.Per = args[3]
			}
			return nil
		},
		"app": func() error {
			s.App = new(AppLabel)
			if err := oneArg(d, &s.App.Name); err != nil {
				return err
			}
			return readBlock(d, "option of app", words{
				"icon":        func() error { return oneArg(d, &s.App.Icon) },
				"description": func() error { return oneArg(d, &s.App.Description) },
				"start": func() error {
					if err := oneArg(d, &s.App.Start); err != nil {
						return err
					}
					if !strings.HasPrefix(s.App.Start, "/") || strings.HasPrefix(s.App.Start, "//") {
						return d.Errf("start is a path of the app, such as /home, not %q", s.App.Start)
					}
					return nil
				},
			})
		},
	}
	return w
}

func (s *Site) readOrigin(d *caddyfile.Dispenser) error {
	var text string
	if err := oneArg(d, &text); err != nil {
		return err
	}
	if _, err := origin.ParsePublic(text); err != nil {
		return d.Errf("origin %q: %v", text, err)
	}
	s.Origins = append(s.Origins, text)
	return nil
}

func (s *Site) readAllow(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	switch kind := d.Val(); kind {
	case "role":
		return someArgs(d, &s.AllowRoles)
	case "user":
		return someArgs(d, &s.AllowUsers)
	case "permission":
		return someArgs(d, &s.AllowPermissions)
	default:
		return d.Errf("allow what? %q is unknown%s; write `allow role <role...>`, `allow user <name...>` or `allow permission <resource:action...>`",
			kind, nearest.Hint(kind, []string{"role", "user", "permission"}))
	}
}

func route(handlers ...caddyhttp.MiddlewareHandler) []httpcaddyfile.ConfigValue {
	var r caddyhttp.Route
	for _, h := range handlers {
		r.HandlersRaw = append(r.HandlersRaw, handlerJSON(h))
	}
	return []httpcaddyfile.ConfigValue{{Class: "route", Value: r}}
}

func handlerJSON(h caddyhttp.MiddlewareHandler) json.RawMessage {
	return caddyconfig.JSONModuleObject(h, "handler", h.(caddy.Module).CaddyModule().ID.Name(), nil)
}
