package origin

import (
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Site is an address of the configuration and what browsers call it.
type Site struct {
	Host   string // folded name, "*.example.com", or "" for a site without a host name
	Public Origin // its Host is not used for wildcards
}

// Book knows the origins that a configuration names. It is safe for concurrent use; the zero value knows none.
type Book struct {
	exact    map[string][]Origin // by host: one for each port
	wildcard map[string][]Origin // by what follows the star: ".example.com"
}

// NewBook returns the book of these sites. Sites without a host name are not in it.
func NewBook(sites []Site) *Book {
	b := &Book{exact: map[string][]Origin{}, wildcard: map[string][]Origin{}}
	for _, s := range sites {
		if rest, ok := strings.CutPrefix(s.Host, "*"); ok {
			b.wildcard[rest] = append(b.wildcard[rest], s.Public)
		} else if s.Host != "" {
			b.exact[s.Host] = append(b.exact[s.Host], s.Public)
		}
	}
	return b
}

// Named returns the origin of a host, with or without a port, that the configuration names: an exact name first, then a
// wildcard of one label, as Caddy matches them. Of several ports the one that was asked counts, otherwise the first.
// It returns false for hosts that only a catch-all site serves: such a host is the client's word (R13).
func (b *Book) Named(hostport string) (Origin, bool) {
	host, err := policy.FoldHost(hostport)
	if err != nil || b == nil {
		return Origin{}, false
	}
	port, err := portOf(hostport)
	if err != nil {
		return Origin{}, false
	}
	list, wild := b.exact[host], false
	if len(list) == 0 {
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			return Origin{}, false
		}
		list, wild = b.wildcard["."+rest], true
	}
	if len(list) == 0 {
		return Origin{}, false
	}
	o := list[0]
	for _, other := range list {
		if port != "" && (other.Port == port || other.Port == "" && defaultPort(other.Scheme) == port) {
			o = other
			break
		}
	}
	if wild {
		o = o.At(host)
	}
	return o, true
}

// Asked returns what browsers call the host that a request was sent to. A host that the configuration does not name is
// taken from the request: the result is good for comparing with the request's own Origin header and for nothing else.
func (b *Book) Asked(r *http.Request) Origin {
	if o, ok := b.Named(r.Host); ok {
		return o
	}
	scheme := "https"
	if r.TLS == nil && authn.Loopback(r.Host) {
		scheme = "http"
	}
	o, err := New(scheme, r.Host)
	if err != nil {
		return Origin{}
	}
	return o
}

// Same reports whether an Origin header is the origin of the host that the request was sent to.
func (b *Book) Same(r *http.Request, header string) bool {
	sent, err := Parse(header)
	return err == nil && !strings.HasSuffix(header, "/") && sent == b.Asked(r)
}
