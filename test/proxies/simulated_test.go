package proxies

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// Debian has no Traefik and no Envoy. The two handlers of this file ask and copy as their sources do, with the lists of
// the document's blocks, so that those are tested too. They are small, and no more than what matters here:
//
//   - Traefik 3.3: pkg/middlewares/auth/forward.go (writeHeader, and what follows a 2xx),
//     pkg/middlewares/forwardedheaders, pkg/middlewares/headers (customRequestHeaders).
//   - Envoy 1.32: source/extensions/filters/common/ext_authz/ext_authz_http_impl.cc (path_prefix, allowed_headers,
//     x-envoy-auth-headers-to-remove), source/extensions/filters/http/ext_authz/ext_authz.cc (overwrites, then
//     removes).

// shown reads the YAML block of a section of the document.
func shown(t testing.TB, section string, into any) {
	t.Helper()
	m := regexp.MustCompile("(?s)\n## " + section + "\n.*?```yaml\n(.*?)```").FindStringSubmatch(read(t, document))
	if m == nil {
		t.Fatalf("%s has no YAML below %q", document, section)
	}
	if err := yaml.Unmarshal([]byte(m[1]), into); err != nil {
		t.Fatalf("%s: %v", section, err)
	}
}

// simulated serves a handler as the proxy of a front.
func simulated(t testing.TB, proxy string, handler func(f *front) http.Handler) *front {
	f := behind(t, proxy)
	cert := rig.Certificate(t, appHost)
	pair, err := tls.LoadX509KeyPair(cert.Cert, cert.Key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler(f))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	f.port, f.roots = server.Listener.Addr().(*net.TCPAddr).Port, cert.Roots
	return f
}

// toGateway trusts the gateway's authority and shows it the name that its certificate has.
func (f *front) toGateway() *http.Transport {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: f.gateway.Roots(), ServerName: "verify.example.com"},
		MaxIdleConnsPerHost: 8}
	f.t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// pass hands a request on with its Host and path as they came.
func pass(w http.ResponseWriter, r *http.Request, transport http.RoundTripper, scheme, addr string) {
	proxy := httputil.ReverseProxy{Transport: transport, Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = scheme, addr, p.In.Host
		p.SetXForwarded()
	}}
	proxy.ServeHTTP(w, r)
}

// hop are the headers that proxies keep for one connection (RFC 9110 7.6.1).
var hop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade"}

// refuse hands an answer of the gateway to the visitor.
func refuse(w http.ResponseWriter, answer *http.Response) {
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

func isEndpoint(path string) bool {
	return strings.HasPrefix(path, "/.truxe/forward-auth") || strings.HasPrefix(path, "/.truxe/ext-authz")
}

func host(r *http.Request) string {
	name, _, _ := strings.Cut(r.Host, ":")
	return strings.ToLower(name)
}

// traefik is a router for the app's host with the middlewares of the document.
func traefik(f *front) http.Handler {
	type custom struct {
		Headers struct {
			Set map[string]string `yaml:"customRequestHeaders"`
		}
	}
	var config struct {
		HTTP struct {
			Middlewares struct {
				Forged       custom `yaml:"no-forged-headers"`
				NoConnection custom `yaml:"no-connection"`
				Socket       custom `yaml:"socket-connection"`
				Truxe        struct {
					ForwardAuth struct {
						Address string
						Trust   bool     `yaml:"trustForwardHeader"`
						Copied  []string `yaml:"authResponseHeaders"`
					} `yaml:"forwardAuth"`
				}
			}
		}
	}
	shown(f.t, "Traefik", &config)
	auth := config.HTTP.Middlewares.Truxe.ForwardAuth
	if auth.Trust || auth.Address != "https://verify.example.com/.truxe/forward-auth" {
		f.t.Fatalf("%+v", auth)
	}
	gateway := f.toGateway()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host(r) != appHost {
			http.NotFound(w, r)
			return
		}
		ours := strings.HasPrefix(r.URL.Path, "/.truxe/") && !isEndpoint(r.URL.Path)
		connection := config.HTTP.Middlewares.NoConnection
		if !ours && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			connection = config.HTTP.Middlewares.Socket
		}
		for _, set := range []custom{config.HTTP.Middlewares.Forged, connection} {
			for name, value := range set.Headers.Set {
				if r.Header.Del(name); value != "" {
					r.Header.Set(name, value)
				}
			}
		}
		if ours {
			pass(w, r, gateway, "https", f.gatewayAddr())
			return
		}
		ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet,
			strings.Replace(auth.Address, "verify.example.com", f.gatewayAddr(), 1), nil)
		if err != nil {
			f.t.Error(err)
			return
		}
		ask.Host, ask.Header = "verify.example.com", r.Header.Clone()
		for _, name := range append(hop, strings.Split(r.Header.Get("Connection"), ",")...) {
			ask.Header.Del(strings.TrimSpace(name))
		}
		for name, value := range map[string]string{"X-Forwarded-Method": r.Method, "X-Forwarded-Proto": "https",
			"X-Forwarded-Host": r.Host,
			"X-Forwarded-Uri":  r.URL.RequestURI(), "X-Forwarded-For": "127.0.0.1"} {
			ask.Header.Set(name, value)
		}
		answer, err := gateway.RoundTrip(ask)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer answer.Body.Close()
		if answer.StatusCode < 200 || answer.StatusCode > 299 {
			refuse(w, answer)
			return
		}
		for _, name := range auth.Copied {
			name = http.CanonicalHeaderKey(name)
			if delete(r.Header, name); len(answer.Header[name]) > 0 {
				r.Header[name] = answer.Header[name]
			}
		}
		r.Header.Del("X-Forwarded-Method") // the entry point has removed these of an untrusted peer
		r.Header.Del("X-Forwarded-Uri")
		pass(w, r, nil, "http", f.app.Addr())
	})
}

// envoy is an HTTP connection manager with the filter of the document.
func envoy(f *front) http.Handler {
	type list struct{ Patterns []struct{ Exact string } }
	var config struct {
		Common struct {
			Underscores string `yaml:"headers_with_underscores_action"`
		} `yaml:"common_http_protocol_options"`
		Filters []struct {
			Config struct {
				Allowed list `yaml:"allowed_headers"`
				Service struct {
					Prefix   string `yaml:"path_prefix"`
					Response struct {
						Upstream list `yaml:"allowed_upstream_headers"`
					} `yaml:"authorization_response"`
				} `yaml:"http_service"`
			} `yaml:"typed_config"`
		} `yaml:"http_filters"`
		Routes struct {
			Hosts []struct {
				Remove []string `yaml:"request_headers_to_remove"`
			} `yaml:"virtual_hosts"`
		} `yaml:"route_config"`
	}
	shown(f.t, "Envoy", &config)
	filter, gateway := config.Filters[0].Config, f.toGateway()
	names := func(l list) (all []string) {
		for _, p := range l.Patterns {
			all = append(all, http.CanonicalHeaderKey(p.Exact))
		}
		return all
	}
	asked, copied := append(names(filter.Allowed), "Authorization"), names(filter.Service.Response.Upstream)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host(r) != appHost || isEndpoint(r.URL.Path) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		for name := range r.Header {
			if strings.Contains(name, "_") && config.Common.Underscores == "DROP_HEADER" {
				delete(r.Header, name)
			}
		}
		for name := range strings.SplitSeq(r.Header.Get("Connection"), ",") { // the codec removes what a visitor nominates
			if name = strings.TrimSpace(name); !strings.EqualFold(name, "upgrade") {
				r.Header.Del(name)
			}
		}
		if r.Header.Del("Connection"); r.Header.Get("Upgrade") != "" {
			r.Header.Set("Connection", "Upgrade")
		}
		r.Header.Set("X-Forwarded-For", "127.0.0.1") // use_remote_address
		r.Header.Set("X-Forwarded-Proto", "https")
		if !strings.HasPrefix(r.URL.Path, "/.truxe/") {
			ask, err := http.NewRequestWithContext(r.Context(), r.Method, "https://"+f.gatewayAddr(), nil)
			if err != nil {
				f.t.Error(err)
				return
			}
			path, query, _ := strings.Cut(r.URL.RequestURI(), "?")
			ask.URL.Path, ask.URL.RawPath, ask.URL.RawQuery, ask.Host = filter.Service.Prefix+r.URL.Path, filter.Service.Prefix+
				path, query, r.Host
			for _, name := range asked {
				if len(r.Header[name]) > 0 {
					ask.Header[name] = slices.Clone(r.Header[name])
				}
			}
			answer, err := gateway.RoundTrip(ask)
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				refuse(w, answer)
				return
			}
			for _, name := range copied {
				if len(answer.Header[name]) > 0 {
					r.Header[name] = answer.Header[name]
				}
			}
			for name := range strings.SplitSeq(answer.Header.Get("X-Envoy-Auth-Headers-To-Remove"), ",") {
				r.Header.Del(name)
			}
		}
		for _, name := range config.Routes.Hosts[0].Remove {
			r.Header.Del(name)
		}
		if strings.HasPrefix(r.URL.Path, "/.truxe/") {
			pass(w, r, gateway, "https", f.gatewayAddr())
			return
		}
		pass(w, r, nil, "http", f.app.Addr())
	})
}

// ED-02 ED-05 ED-13 ED-22: the stories through what Traefik does with the document's lists.
func TestTraefik(t *testing.T) { tellThrough(t, simulated(t, "traefik", traefik)) }

// ED-02 ED-05 ED-13 ED-22, field case 5: the stories through what Envoy does with the document's lists.
func TestEnvoy(t *testing.T) { tellThrough(t, simulated(t, "envoy", envoy)) }

// ED-22, field case 6: sub-requests as the controller's template writes them (ingress-nginx 1.11,
// rootfs/etc/nginx/template/nginx.tmpl, the location of auth-url). It passes a visitor's other headers on.
func TestIngressNginx(t *testing.T) {
	f := behind(t, "nginx")
	gateway := f.toGateway()
	ask := func(path string, headers ...[]string) answer {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, "https://"+f.gatewayAddr()+"/.truxe/forward-auth", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "verify.example.com"
		for _, list := range append(headers, []string{"X-Original-Url", "https://" + appHost + path, "X-Original-Method",
			"GET", "X-Sent-From", "nginx-ingress-controller",
			"X-Real-Ip", "192.0.2.7", "X-Forwarded-For", "192.0.2.7", "X-Auth-Request-Redirect", path}) {
			for i := 0; i < len(list); i += 2 {
				r.Header[list[i]] = append(r.Header[list[i]], list[i+1])
			}
		}
		res, err := gateway.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{t, res.StatusCode, res.Header, string(body)}
	}
	ask("/healthz").want(http.StatusOK)
	ask("/secret", navigation).want(http.StatusUnauthorized) // the controller then redirects to auth-signin
	ask("/secret", curl).want(http.StatusUnauthorized)
	forwarded := []string{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/healthz", "X-Forwarded-Host", appHost,
		"X-Forwarded-Proto", "https"}
	ask("/secret", curl, forwarded).want(http.StatusUnauthorized)
	ask("/healthz", curl, forwarded).want(http.StatusOK)
	ask("/secret", curl, []string{"X-Original-Url", "https://" + appHost + "/healthz"}).want(http.StatusBadRequest)
}
