package caddymodule

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/truxeio/caddy-truxe/internal/loopback"
	"github.com/truxeio/caddy-truxe/internal/origin"
)

// listener is what a server of the HTTP app says about the address of its sites.
type listener struct {
	server string // its name in the configuration
	port   int    // 0: unix sockets only
	tls    bool
	behind bool // it names trusted proxies
	mapped bool // on the option https_port, which Caddy takes to be 443 outside
}

// serverNames returns the names of the servers in a fixed order, "srv2" before "srv10".
func serverNames(app *caddyhttp.App) []string {
	return slices.SortedFunc(maps.Keys(app.Servers), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

// listenerOf reads a server, provisioned or not; false when it listens on nothing.
func listenerOf(app *caddyhttp.App, name string) (listener, bool) {
	s := app.Servers[name]
	l := listener{server: name, behind: behindProxy(s)}
	httpPort, httpsPort := cmp.Or(app.HTTPPort, 80), cmp.Or(app.HTTPSPort, 443)
	onlyHTTP, onlyHTTPS := true, true
	for _, listen := range s.Listen {
		addr, err := caddy.ParseNetworkAddress(listen)
		if err != nil || addr.IsUnixNetwork() {
			onlyHTTP, onlyHTTPS = false, false
			continue
		}
		if l.port == 0 {
			l.port = int(addr.StartPort)
		}
		onlyHTTP, onlyHTTPS = onlyHTTP && int(addr.StartPort) == httpPort, onlyHTTPS && int(addr.StartPort) == httpsPort
	}
	l.tls = usesTLS(s, onlyHTTP, onlyHTTPS)
	l.mapped = l.tls && l.port == httpsPort && httpsPort != 443
	if !l.tls && l.port == httpPort {
		l.port = 80
	}
	return l, len(s.Listen) > 0
}

// usesTLS reports whether a server speaks TLS, or will after automatic HTTPS: it does when it has connection policies,
// when it listens on the HTTPS port alone, or when one of its host names is not kept out of automatic HTTPS.
func usesTLS(s *caddyhttp.Server, onlyHTTP, onlyHTTPS bool) bool {
	if len(s.TLSConnPolicies) > 0 {
		return true
	}
	auto := s.AutoHTTPS
	if auto == nil {
		auto = new(caddyhttp.AutoHTTPSConfig)
	}
	if auto.Disabled || onlyHTTP {
		return false
	}
	return onlyHTTPS || slices.ContainsFunc(s.Routes, func(r caddyhttp.Route) bool {
		return slices.ContainsFunc(setsOf(r), func(set matcherSet) bool {
			return slices.ContainsFunc(set.Host, func(host string) bool { return !slices.Contains(auto.Skip, host) })
		})
	})
}

// behindProxy reports whether a server names proxies whose word counts. Caddy clears TrustedProxiesRaw once it has
// loaded the module, into a field that is not exported: then the field alone says it. trusted_proxies_unix is about
// peers that connect over a unix socket, so it counts where the server has one.
func behindProxy(s *caddyhttp.Server) bool {
	if len(s.TrustedProxiesRaw) > 0 {
		return true
	}
	if loaded := reflect.ValueOf(s).Elem().FieldByName("trustedProxies"); loaded.IsValid() && !loaded.IsNil() {
		return true
	}
	return s.TrustedProxiesUnix && slices.ContainsFunc(s.Listen, func(listen string) bool {
		addr, err := caddy.ParseNetworkAddress(listen)
		return err == nil && addr.IsUnixNetwork()
	})
}

// origins returns what browsers call a host of this server where no `origin` says so, the main one first.
func (l listener) origins(host string) []origin.Origin {
	port := ""
	if l.port != 0 {
		port = strconv.Itoa(l.port)
	}
	own := func(scheme, port string) origin.Origin {
		if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
			port = ""
		}
		return origin.Origin{Scheme: scheme, Host: host, Port: port}
	}
	switch {
	case l.mapped:
		return []origin.Origin{own("https", port), own("https", "")}
	case l.tls:
		return []origin.Origin{own("https", port)}
	case l.behind && loopback.Host(host):
		return []origin.Origin{own("https", ""), own("http", port)}
	case l.behind:
		return []origin.Origin{own("https", "")}
	}
	return []origin.Origin{own("http", port)}
}

// listensOn returns the addresses of the server whose routes are being provisioned.
func listensOn(ctx caddy.Context) string {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return ""
	}
	return strings.Join(slices.Sorted(slices.Values(server.Listen)), " ")
}
