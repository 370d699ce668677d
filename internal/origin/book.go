package origin

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/loopback"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Site is an address of the configuration and what browsers call it. A host with several origins is listed once for
// each, the main one first.
type Site struct {
	Host   string // folded name, a pattern such as "*.example.com", or "" for a site without a host name
	Public Origin // its Host is not used for patterns
}

// Book knows the origins that a configuration names. It is safe for concurrent use; the zero value knows none.
type Book struct {
	exact    map[string][]Origin // by host: one for each port
	wildcard map[string][]Origin // by what follows a leading star: ".example.com"
	patterns []Site              // with a star elsewhere
}

// NewBook returns the book of these sites. Sites without a host name are not in it.
func NewBook(sites []Site) *Book {
	b := &Book{exact: map[string][]Origin{}, wildcard: map[string][]Origin{}}
	for _, s := range sites {
		switch rest, leading := strings.CutPrefix(s.Host, "*."); {
		case s.Host == "" || s.Public.Scheme == "" || strings.Contains(s.Host, "{"):
		case leading && !strings.Contains(rest, "*"):
			b.wildcard["."+rest] = append(b.wildcard["."+rest], s.Public)
		case strings.Contains(s.Host, "*"):
			b.patterns = append(b.patterns, s)
		default:
			b.exact[s.Host] = append(b.exact[s.Host], s.Public)
		}
	}
	return b
}

// Covers reports whether a site address covers a folded host as Caddy matches it: each star matches one label, and
// an address without a host name covers every host.
func Covers(site, host string) bool {
	if site == "" || site == host {
		return true
	}
	if !strings.Contains(site, "*") {
		return false
	}
	pattern, labels := strings.Split(site, "."), strings.Split(host, ".")
	if len(pattern) != len(labels) {
		return false
	}
	for i, p := range pattern {
		if p != "*" && p != labels[i] {
			return false
		}
	}
	return true
}

// All returns the origins of a folded host, the main one first: those of an exact name, otherwise of a wildcard. It is
// nil for hosts that the configuration does not name.
func (b *Book) All(host string) []Origin {
	if b == nil || host == "" {
		return nil
	}
	if list := b.exact[host]; len(list) > 0 {
		return list
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil // a wildcard stands for labels of a name
	}
	var list []Origin
	if _, rest, ok := strings.Cut(host, "."); ok {
		for _, o := range b.wildcard["."+rest] {
			list = append(list, o.At(host))
		}
	}
	if len(list) > 0 {
		return list
	}
	for _, s := range b.patterns {
		if Covers(s.Host, host) {
			list = append(list, s.Public.At(host))
		}
	}
	return list
}

// Main returns the origin of a folded host for links and tokens, where no request says which port is meant.
func (b *Book) Main(host string) (Origin, bool) {
	list := b.All(host)
	if len(list) == 0 {
		return Origin{}, false
	}
	return list[0], true
}

// Named returns the origin of a Host header, with or without a port, that the configuration names: an exact name first,
// then a wildcard of one label, as Caddy matches them. Of several ports the one that was asked counts; browsers leave
// out the scheme's own. If no origin has it, the main one counts. It returns false for hosts that only a catch-all site
// serves: such a host is the client's word (R13).
func (b *Book) Named(hostport string) (Origin, bool) {
	host, err := policy.FoldHost(hostport)
	if err != nil {
		return Origin{}, false
	}
	port, err := portOf(hostport)
	if err != nil {
		return Origin{}, false
	}
	list := b.All(host)
	for _, o := range list {
		if o.Port == port || o.Port == "" && port == defaultPort(o.Scheme) {
			return o, true
		}
	}
	if len(list) == 0 {
		return Origin{}, false
	}
	return list[0], true
}

// Asked returns what browsers call the host that a request was sent to. A host that the configuration does not name is
// taken from the request: the result is good for comparing with the request's own Origin header and for nothing else.
func (b *Book) Asked(r *http.Request) Origin {
	if o, ok := b.Named(r.Host); ok {
		return o
	}
	scheme := "https"
	if r.TLS == nil && loopback.Host(r.Host) {
		scheme = "http"
	}
	o, err := New(scheme, r.Host)
	if err != nil {
		return Origin{}
	}
	return o
}

// same reports whether an Origin header is the origin of the host that the request was sent to.
func (b *Book) same(r *http.Request, header string) bool {
	sent, err := Parse(header)
	return err == nil && !strings.HasSuffix(header, "/") && sent == b.Asked(r)
}
