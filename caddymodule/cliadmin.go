package caddymodule

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/truxeio/caddy-truxe/internal/regular"
)

// ask posts to the admin endpoint of the running Caddy, over TCP or a unix socket. Caddy's own helper folds every
// refusal into one text; exit codes need the status.
func ask(ctx context.Context, address, path string, body []byte) (*http.Response, error) {
	addr, err := caddy.ParseNetworkAddress(address)
	if err != nil || addr.PortRangeSize() > 1 {
		return nil, fmt.Errorf("the admin address %q cannot be read", address)
	}
	host := "127.0.0.1" // of a unix socket; Caddy checks Host only on TCP
	if !addr.IsUnixNetwork() {
		host = addr.JoinHostPort(0)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", "http://"+host)
	network, target := addr.Network, addr.JoinHostPort(0)
	if addr.IsUnixNetwork() { // the address may still carry the socket's permissions
		if target, _, err = splitPermissions(addr.Host); err != nil {
			return nil, err
		}
	}
	dialer := net.Dialer{Timeout: 2 * time.Second}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, target)
		}}}
	return client.Do(req)
}

func splitPermissions(path string) (socket, mode string, err error) {
	socket, mode, _ = strings.Cut(path, "|")
	if socket == "" {
		err = fmt.Errorf("the admin socket %q cannot be read", path)
	}
	return socket, mode, err
}

// maxConfigFile bounds a configuration file in bytes.
const maxConfigFile = 16 << 20

// adapt reads a configuration file quietly: Caddy's own loader logs what it does, which is noise on a terminal.
func adapt(file, adapter string) ([]byte, error) {
	raw, err := regular.Read(filepath.Clean(file), maxConfigFile)
	if err != nil {
		return nil, err
	}
	base := strings.ToLower(filepath.Base(file))
	if adapter == "" && (strings.HasPrefix(base, "caddyfile") || strings.HasSuffix(base, ".caddyfile")) {
		adapter = "caddyfile"
	}
	if adapter == "" {
		return raw, nil
	}
	a := caddyconfig.GetAdapter(adapter)
	if a == nil {
		return nil, fmt.Errorf("unknown config adapter %q", adapter)
	}
	config, _, err := a.Adapt(raw, map[string]any{"filename": file})
	return config, err
}
