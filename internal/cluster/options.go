package cluster

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/loopback"
)

// DefaultPrefix is the beginning of every key in Redis (CONTRACT section 2).
const DefaultPrefix = "truxe:"

// Mode says how Redis is run.
type Mode string

// The modes.
const (
	ModeSingle   Mode = "single"
	ModeSentinel Mode = "sentinel"
	ModeCluster  Mode = "cluster"
)

// Options of the Redis twin, as ParseURL reads them. Secrets are unexported and never printed (R10).
type Options struct {
	Mode   Mode
	Addrs  []string // host:port, or the path of a socket; one for ModeSingle
	Master string   // ModeSentinel: the name the sentinels know
	DB     int      // not for ModeCluster
	TLS    *tls.Config
	Prefix string // default DefaultPrefix
	Node   string // who publishes; default: a random name per process

	username, password                 string
	sentinelUsername, sentinelPassword string

	callTimeout time.Duration // of one call; default callTimeout
}

// String names the servers, never a secret.
func (o Options) String() string {
	return fmt.Sprintf("redis %s %s", o.Mode, strings.Join(o.Addrs, ","))
}

// GoString keeps %#v from printing secrets.
func (o Options) GoString() string { return o.String() }

// fill sets defaults and refuses what cannot work.
func (o *Options) fill() error {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Node == "" {
		o.Node = identity.NewID().String()
	}
	if o.callTimeout == 0 {
		o.callTimeout = callTimeout
	}
	return CheckPrefix(o.Prefix)
}

// CheckPrefix refuses key prefixes that an ACL pattern or a hash tag would read differently: 1 to 64 letters, digits
// and any of - _ . : /
func CheckPrefix(prefix string) error {
	if prefix == "" || len(prefix) > 64 {
		return errors.New("redis prefix must have 1 to 64 characters")
	}
	for _, c := range []byte(prefix) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("-_.:/", c) >= 0:
		default:
			return fmt.Errorf("redis prefix may hold letters, digits and - _ . : / only, not %q", c)
		}
	}
	return nil
}

// Warnings tell the operator what is allowed but dangerous: plain text off this machine (OP-01).
func (o Options) Warnings() []string {
	if o.TLS != nil {
		return nil
	}
	var out []string
	for _, addr := range o.Addrs {
		if !strings.HasPrefix(addr, "/") && !loopback.Host(addr) { // neither a socket nor this machine
			out = append(out, "redis "+addr+" is spoken to in plain text: sessions' tickets and its password can be read "+
				"on the way; use rediss:// or tls=true")
		}
	}
	return out
}
