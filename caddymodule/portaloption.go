package caddymodule

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

func (a *App) readPortal(d *caddyfile.Dispenser) error {
	if err := oneArg(d, &a.Portal); err != nil {
		return err
	}
	if _, _, err := parsePortal(a.Portal); err != nil {
		return d.Err(err.Error())
	}
	return nil
}

// parsePortal reads the option `portal`: a host, or the origin at which browsers reach it; then public is not zero.
func parsePortal(text string) (host string, public origin.Origin, err error) {
	if text == "" {
		return "", public, nil
	}
	if strings.Contains(text, "://") {
		if public, err = origin.ParsePublic(text); err == nil && strings.Contains(public.Host, "*") {
			err = fmt.Errorf("it must be one host")
		}
		if err != nil {
			return "", origin.Origin{}, fmt.Errorf("portal %q: %w", text, err)
		}
		return public.Host, public, nil
	}
	if o, err := origin.New("https", text); err == nil && o.Port != "" {
		return "", public, fmt.Errorf("portal %q: a port is part of an origin; write https://%s", text, o.Authority())
	}
	if host, err = policy.FoldHost(text); err != nil {
		return "", public,
			fmt.Errorf("portal %q is not a host name, such as auth.example.com, or an origin, such as https://auth.example.com:8443", text)
	}
	return host, public, nil
}
