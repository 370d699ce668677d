// Package caddymodule is the only code of this project that knows Caddy.
package caddymodule
