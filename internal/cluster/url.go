package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/regular"
)

// Bounds of a Redis URL.
const (
	maxURL    = 4096
	maxAddrs  = 64
	maxCAFile = 1 << 20
)

// ParseURL reads
//
//	redis://[user:password@]host[:6379][/db]
//	rediss://...                                            the same over TLS
//	redis+unix://[user:password@]/run/redis.sock[?db=1]      a socket of this machine
//	redis+sentinel://[user:password@]host[:26379][,host...]/master[/db]
//	redis+cluster://[user:password@]host[:6379][,host...]
//
// with the parameters tls=true (sentinel, cluster), ca_file=<PEM file> and server_name=<name> (TLS), and
// sentinel_username, sentinel_password. TLS is always verified (OP-01); there is no way to turn that off. Characters
// with a meaning in URLs are percent-encoded in user and password. No error repeats any part of the user or password.
func ParseURL(raw string) (*Options, error) {
	if len(raw) > maxURL {
		return nil, errors.New("redis url is too long")
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, errors.New("redis url must begin with " + schemes)
	}
	o := &Options{}
	secure := false
	port := "6379"
	switch strings.ToLower(scheme) {
	case "redis":
		o.Mode = ModeSingle
	case "rediss":
		o.Mode, secure = ModeSingle, true
	case "redis+unix":
		return parseSocket(rest)
	case "redis+sentinel", "rediss+sentinel":
		o.Mode, port, secure = ModeSentinel, "26379", scheme[5] != '+'
	case "redis+cluster", "rediss+cluster":
		o.Mode, secure = ModeCluster, scheme[5] != '+'
	default:
		// Not repeated: a URL without a scheme may begin with its password.
		return nil, errors.New("unknown scheme of redis url; use " + schemes)
	}
	if strings.ContainsRune(rest, '#') {
		return nil, errors.New("redis url has a fragment; write # in a password as %23")
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if strings.ContainsRune(path, '@') || strings.ContainsRune(query, '@') {
		return nil, errors.New("redis url has an @ after the host; write / ? @ in a password as %2F %3F %40")
	}
	if err := o.parseAuthority(authority, port); err != nil {
		return nil, err
	}
	if err := o.parsePath(path); err != nil {
		return nil, err
	}
	if err := o.parseQuery(query, secure); err != nil {
		return nil, err
	}
	return o, nil
}

const schemes = "redis://, rediss://, redis+unix://, redis+sentinel:// or redis+cluster://"

// parseUser reads user:password.
func (o *Options) parseUser(text string) error {
	user, password, _ := strings.Cut(text, ":")
	var err1, err2 error
	o.username, err1 = url.PathUnescape(user)
	o.password, err2 = url.PathUnescape(password)
	if err1 != nil || err2 != nil {
		return errors.New("user or password of redis url is not percent-encoded correctly")
	}
	if o.username != "" && o.password == "" {
		return errors.New("redis url has a user without a password; a password alone is written :password@host")
	}
	return nil
}

func (o *Options) parseAuthority(authority, port string) error {
	hosts := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		hosts = authority[at+1:]
		if err := o.parseUser(authority[:at]); err != nil {
			return err
		}
	}
	for _, host := range strings.Split(hosts, ",") {
		addr, err := parseAddr(host, port)
		if err != nil {
			return err
		}
		o.Addrs = append(o.Addrs, addr)
	}
	switch {
	case o.Mode == ModeSingle && len(o.Addrs) > 1:
		return errors.New("redis:// takes one host; use redis+sentinel:// or redis+cluster:// for several")
	case len(o.Addrs) > maxAddrs:
		return fmt.Errorf("redis url names more than %d hosts", maxAddrs)
	}
	return nil
}

// parseAddr returns host:port. Its errors repeat nothing: the text may be the rest of a badly written password.
func parseAddr(s, port string) (string, error) {
	host := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		host = s[1 : len(s)-1]
	} else if strings.ContainsRune(s, ':') {
		var err error
		if host, port, err = net.SplitHostPort(s); err != nil {
			return "", errors.New("redis url has a malformed host; write IPv6 addresses in brackets")
		}
	}
	if host == "" {
		return "", errors.New("redis url has no host")
	}
	for _, c := range []byte(host) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`%"'<>\^{}|[]`+"`", c) >= 0 {
			return "", errors.New("redis url has a host with characters that no host name has")
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("redis url has a port that is not 1 to 65535")
	}
	return net.JoinHostPort(host, port), nil
}

func (o *Options) parsePath(path string) error {
	if o.Mode == ModeSentinel {
		master, rest, _ := strings.Cut(path, "/")
		name, err := url.PathUnescape(master)
		if err != nil || name == "" || len(name) > 255 {
			return errors.New("redis+sentinel:// needs the master's name: redis+sentinel://host:26379/mymaster")
		}
		o.Master, path = name, rest
	}
	if path == "" {
		return nil
	}
	if o.Mode == ModeCluster {
		return errors.New("redis+cluster:// has no database number")
	}
	n, err := strconv.ParseUint(path, 10, 16)
	if err != nil {
		return errors.New("the path of the redis url must be a database number")
	}
	o.DB = int(n)
	return nil
}

func (o *Options) parseQuery(query string, secure bool) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("parameters of redis url cannot be read")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	custom := false
	for name, v := range values {
		if len(v) != 1 || v[0] == "" { // not named: it may be the rest of a password
			return errors.New("each parameter of redis url is there once, with a value")
		}
		switch name {
		case "tls":
			on, err := strconv.ParseBool(v[0])
			if err != nil || (secure && !on) {
				return errors.New("redis url parameter tls must be true or absent")
			}
			secure = secure || on
		case "ca_file":
			pem, err := regular.Read(v[0], maxCAFile)
			if err != nil {
				return fmt.Errorf("read ca_file of redis url: %w", err)
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(pem) {
				return errors.New("ca_file of redis url holds no PEM certificate")
			}
			custom = true
		case "server_name":
			config.ServerName, custom = v[0], true
		case "sentinel_username", "sentinel_password":
			if o.Mode != ModeSentinel {
				return fmt.Errorf("redis url parameter %q is for redis+sentinel:// only", name)
			}
			if name == "sentinel_username" {
				o.sentinelUsername = v[0]
			} else {
				o.sentinelPassword = v[0]
			}
		default:
			return errors.New("unknown parameter in redis url; known are tls, ca_file, server_name, sentinel_username, sentinel_password")
		}
	}
	switch {
	case secure:
		o.TLS = config
	case custom:
		return errors.New("redis url has TLS parameters without TLS; use rediss:// or tls=true")
	}
	return nil
}
