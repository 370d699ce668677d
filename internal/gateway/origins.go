package gateway

import "github.com/truxeio/caddy-truxe/internal/origin"

// origins is the book of what the sites are called outside, those that other proxies ask for included.
func (c Config) origins() *origin.Book {
	var sites []origin.Site
	for _, s := range c.Sites {
		if public, err := origin.Parse(s.Origin); err == nil || s.Host == "" {
			sites = append(sites, origin.Site{Host: s.Host, Public: public})
		}
		for _, host := range s.ForwardHosts {
			if public, err := origin.New("https", host); err == nil {
				sites = append(sites, origin.Site{Host: public.Host, Public: public})
			}
		}
	}
	return origin.NewBook(sites)
}
