// Package truxe registers the Truxe authentication gateway with Caddy, so that
//
//	xcaddy build --with github.com/truxeio/caddy-truxe
//
// gives a Caddy with one more word, truxe.
package truxe

import _ "github.com/truxeio/caddy-truxe/caddymodule" // registers the modules
