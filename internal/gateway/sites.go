package gateway

import (
	"slices"

	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// Hosts lists the hosts of all sites, those of other proxies included.
func (c Config) Hosts() []string {
	var list []string
	for _, s := range c.Sites {
		list = append(list, s.ForwardHosts...)
		if s.Host != "" {
			list = append(list, s.Host)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// RolesNamed lists the roles that the configuration itself names.
func (c Config) RolesNamed() []string {
	list := slices.Clone(c.MFA.Roles)
	for _, s := range c.Sites {
		list = append(list, s.Roles...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// portalSites are the sites with their names. Of a host that other proxies ask for, all that is known is its name.
func (c Config) portalSites() []web.Site {
	var list []web.Site
	for _, s := range c.Sites {
		site := web.Site{Host: s.Host, Name: s.App.Name, Icon: s.App.Icon, Description: s.App.Description, Start: s.App.Start,
			PortalOnly: !slices.Contains(s.Handlers, "truxe_gate")}
		if len(s.Origins) > 0 {
			site.Origin = s.Origins[0]
		}
		forwarded := site
		if site.PortalOnly && len(s.ForwardHosts) > 0 {
			site.Name = "" // it is the app's
		}
		list = append(list, site)
		for _, host := range s.ForwardHosts {
			o, _ := s.forwardOrigin(host)
			forwarded.Host, forwarded.Origin, forwarded.PortalOnly = host, o, false
			if len(s.ForwardHosts) > 1 {
				forwarded.Name = ""
			}
			list = append(list, forwarded)
		}
	}
	return list
}
