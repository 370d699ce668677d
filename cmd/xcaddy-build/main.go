// Command xcaddy-build is Caddy with its standard modules and the Truxe plugin.
package main

import (
	_ "time/tzdata"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/truxeio/caddy-truxe/caddymodule"
)

func main() { caddycmd.Main() }
