package gateway

import (
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/origin"
)

// fallbackIssuer is the `iss` where the configuration names no host at all.
const fallbackIssuer = "https://localhost"

// origins is the book of what the sites are called outside, those that other proxies ask for included.
func (c Config) origins() *origin.Book {
	var sites []origin.Site
	if c.Portal != "" && c.PortalOrigin != (origin.Origin{}) {
		sites = append(sites, origin.Site{Host: c.Portal, Public: c.PortalOrigin})
	}
	// first: browsers reach such a host at the other proxy, not at its own site here
	for _, o := range c.forwardOrigins() {
		sites = append(sites, origin.Site{Host: o.Host, Public: o})
	}
	for _, s := range c.Sites {
		for _, o := range s.Origins {
			if s.Host != c.Portal || c.PortalOrigin == (origin.Origin{}) {
				sites = append(sites, origin.Site{Host: s.Host, Public: o})
			}
		}
	}
	if _, ok := origin.NewBook(sites).Main(c.Portal); !ok && c.Portal != "" {
		sites = append(sites, origin.Site{Host: c.Portal, Public: origin.Origin{Scheme: "https", Host: c.Portal}})
	}
	return origin.NewBook(sites)
}

// forwardOrigins are the origins of all hosts that other proxies ask for.
func (c Config) forwardOrigins() []origin.Origin {
	var list []origin.Origin
	for _, s := range c.Sites {
		for _, host := range s.ForwardHosts {
			if o, ok := s.forwardOrigin(host); ok && !slices.Contains(list, o) {
				list = append(list, o)
			}
		}
	}
	return list
}

// forwardOrigin returns what browsers call a host that another proxy protects: https on port 443 unless the site says
// more.
func (s SiteInfo) forwardOrigin(host string) (origin.Origin, bool) {
	o, err := origin.New("https", host)
	if err != nil {
		return origin.Origin{}, false
	}
	o.Port = ""
	if i := slices.IndexFunc(s.ForwardOrigins, func(f origin.Origin) bool { return f.Host == o.Host }); i >= 0 {
		o = s.ForwardOrigins[i]
	}
	return o, true
}

// portalOrigin is the URL of the single sign-on host, from the configuration alone (CS-08); "" where every host is its
// own.
func (c Config) portalOrigin() string { return c.originOf(c.Portal) }

// originOf is the URL of a folded host of ours, "" for any other.
func (c Config) originOf(host string) string {
	o, _ := c.origins().Main(host)
	return o.String()
}

// originsOf lists the URLs of a folded host of ours, the main one first.
func (g *Gateway) originsOf(host string) []string {
	var list []string
	for _, o := range g.origins.All(host) {
		list = append(list, o.String())
	}
	return list
}

// mainOrigin is where links lead that are about no host: the single sign-on host, or the first site that has a name of
// its own; "" without any.
func (c Config) mainOrigin() string {
	if c.Portal != "" {
		return c.portalOrigin()
	}
	for _, s := range c.Sites {
		if s.Host != "" && !strings.Contains(s.Host, "*") && len(s.Origins) > 0 {
			return s.Origins[0].String()
		}
	}
	return ""
}

// issuerOf is the `iss` of a token for a user signed in at a host. The host must be one that the configuration names,
// otherwise it is the main origin: no header of a client ever becomes an issuer (CS-08).
func (g *Gateway) issuerOf(host string) string {
	switch {
	case g.cfg.JWT.Issuer != "":
		return g.cfg.JWT.Issuer
	case g.cfg.Portal != "":
		host = g.cfg.Portal
	}
	if o, ok := g.origins.Main(host); ok {
		return o.String()
	}
	if main := g.cfg.mainOrigin(); main != "" {
		return main
	}
	return fallbackIssuer
}

// issuers are all that the `iss` of our own tokens may be, which is what issuerOf returns: the configured one, the
// portal's origin, or the origins of the configuration. The star of a wildcard is one label.
func (c Config) issuers() []string {
	switch {
	case c.JWT.Issuer != "":
		return []string{c.JWT.Issuer}
	case c.Portal != "":
		return []string{c.portalOrigin()}
	}
	var list []string
	all := c.forwardOrigins()
	for _, s := range c.Sites {
		all = append(all, s.Origins...)
	}
	for _, o := range all {
		if text := o.String(); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	if c.mainOrigin() == "" {
		list = append(list, fallbackIssuer)
	}
	return list
}

// setupURL is the page that takes a setup code.
func (c Config) setupURL() string {
	at := c.mainOrigin()
	if at == "" {
		at = fallbackIssuer
	}
	return at + c.Path + "/setup"
}
