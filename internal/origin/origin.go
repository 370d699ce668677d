// Package origin says what a site is called outside: the scheme, host and port that browsers write. Only the
// configuration names origins. What a client says about the host it asked is compared with them and never becomes one
// (DESIGN R13).
package origin

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/loopback"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Origin is a web origin (RFC 6454): scheme, folded host and port. The zero value is no origin.
type Origin struct {
	Scheme string // "https" or "http"
	Host   string // folded; an IPv6 address without brackets
	Port   string // "" for the scheme's own port
}

var errOrigin = errors.New("an origin is a scheme, a host and an optional port, " +
	"for example https://app.example.com or https://app.example.com:8443")

var errPlain = errors.New("an origin is https, and http for loopback names such as localhost alone")

// Parse reads an origin. A path, a query, user information or another scheme is an error.
func Parse(text string) (Origin, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		u.Path != "" && u.Path != "/" ||
		strings.HasSuffix(text, "#") {
		return Origin{}, errOrigin
	}
	return New(u.Scheme, u.Host)
}

// New returns the origin of a scheme and a host with an optional port.
func New(scheme, hostport string) (Origin, error) {
	o := Origin{Scheme: strings.ToLower(scheme)}
	if o.Scheme != "https" && o.Scheme != "http" {
		return Origin{}, errOrigin
	}
	var err error
	if o.Host, err = policy.FoldHost(hostport); err != nil {
		return Origin{}, fmt.Errorf("%w: %w", errOrigin, err)
	}
	if o.Port, err = portOf(hostport); err != nil {
		return Origin{}, err
	}
	if o.Port == defaultPort(o.Scheme) {
		o.Port = ""
	}
	return o, nil
}

// ParsePublic reads an origin of the configuration: https, or http for loopback names, which browsers treat as secure.
// Its host may be a wildcard such as "*.example.com".
func ParsePublic(text string) (Origin, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	name, wild := strings.CutPrefix(rest, "*.")
	o, err := Parse(scheme + "://" + name)
	if err != nil {
		return Origin{}, err
	}
	if o.Scheme == "http" && !loopback.Host(o.Host) {
		return Origin{}, errPlain
	}
	if wild {
		o.Host = "*." + o.Host
	}
	return o, nil
}

// portOf returns the port of a host that FoldHost has taken, "" without one.
func portOf(hostport string) (string, error) {
	colon := strings.LastIndexByte(hostport, ':')
	if colon < 0 || strings.IndexByte(hostport[colon:], ']') >= 0 {
		return "", nil
	}
	n, err := strconv.ParseUint(hostport[colon+1:], 10, 16)
	if err != nil || n == 0 {
		return "", errOrigin
	}
	return strconv.FormatUint(n, 10), nil
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// At returns the same scheme and port at another folded host: a wildcard site's origin at the host that was asked.
func (o Origin) At(host string) Origin {
	o.Host = host
	return o
}

// String returns the origin as browsers write it, "" for the zero value.
func (o Origin) String() string {
	if o.Scheme == "" {
		return ""
	}
	return o.Scheme + "://" + o.Authority()
}

// Authority returns the host, in brackets if it is an IPv6 address, with the port unless it is the scheme's own.
func (o Origin) Authority() string {
	host := o.Host
	if strings.IndexByte(host, ':') >= 0 {
		host = "[" + host + "]"
	}
	if o.Port != "" {
		host += ":" + o.Port
	}
	return host
}
