package caddymodule

import "github.com/caddyserver/caddy/v2"

// Site is what one `truxe` directive says about the app behind it.
type Site struct {
	// Paths that need no sign-in: an exact path, or a prefix ending in `/*`.
	Public []string `json:"public,omitempty"`
	// The roles that may enter. Without any `allow_` and without rules of policy files every signed-in user may.
	AllowRoles []string `json:"allow_roles,omitempty"`
	// The users, by name, that may enter.
	AllowUsers []string `json:"allow_users,omitempty"`
	// The permissions that let in: users with a role that grants one of them may enter.
	AllowPermissions []string `json:"allow_permissions,omitempty"`
	// The policy files, by name without `.yaml`, whose rules hold here. Default: all of the policies directory
	Policies []string `json:"policies,omitempty"`
	// `enforce` (default), or `report`: what rules would refuse to a signed-in user passes and is reported.
	Mode string `json:"mode,omitempty"`
	// What the person must have proven, or where the request must come from; every line must hold.
	Require []Require `json:"require,omitempty"`
	// The identity headers of the upstream: `default`, `none`, or the name of a preset.
	Headers string `json:"headers,omitempty"`
	// How characters beyond ASCII arrive in the headers: `percent` (default), or `utf8` for apps that do not decode.
	HeaderEncoding string `json:"header_encoding,omitempty"`
	// More headers: name to value; the value may use `{http.auth.user.*}` and `{http.truxe.session}`.
	Header []Header `json:"header,omitempty"`
	// Whether the app gets a signed assertion of who sent the request, in X-Truxe-Jwt-Assertion. Default: off
	Assertion bool `json:"assertion,omitempty"`
	// Whether answers of the app get security headers it does not set itself. Default: off
	SecurityHeaders bool `json:"security_headers,omitempty"`
	// At most so many requests.
	RateLimit *SiteRate `json:"rate_limit,omitempty"`
	// Paths whose requests do not extend the session's idle time.
	Passive []string `json:"passive,omitempty"`
	// What happens to CORS preflights of the app: `deny` (default) or `pass`.
	Preflight string `json:"preflight,omitempty"`
	// How the app is listed on the page of apps.
	App *AppLabel `json:"app,omitempty"`
	// How browsers reach the site, such as `https://app.example.com:8443`; one for each of its hosts that the default does
	// not fit. Default: the site's own address, and https on port 443 where the server names trusted proxies.
	Origins []string `json:"origin,omitempty"`
}

// Require is one condition of a site.
type Require struct {
	// `mfa` (a second factor, or a passkey), `passkey` or `network`.
	Kind string `json:"kind"`
	// How long ago the factor may have been proven. Default: at any time in this session
	MaxAge caddy.Duration `json:"max_age,omitempty"`
	// The networks that requests may come from, in CIDR notation; any of them. An address stands for itself.
	Networks []string `json:"networks,omitempty"`
}

// Header is one more header for the upstream.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// SiteRate bounds the requests of one person or address to a site.
type SiteRate struct {
	Events int            `json:"events"`
	Window caddy.Duration `json:"window"`
	// `user` or `ip`. Default: `ip`
	Per string `json:"per,omitempty"`
}

// AppLabel is how the app is shown.
type AppLabel struct {
	Name        string `json:"name"`
	Icon        string `json:"icon,omitempty"`
	Description string `json:"description,omitempty"`
	// The path that opens the app. Default: /
	Start string `json:"start,omitempty"`
}
