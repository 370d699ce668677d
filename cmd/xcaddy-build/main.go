// Command xcaddy-build is Caddy with its standard modules and the Truxe plugin.
package main

import (
	"runtime"
	_ "time/tzdata"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/truxeio/caddy-truxe/caddymodule"
)

// headroom lets the garbage collector run less often while little is in use. Go collects when the heap has doubled; a
// proxy with a live heap of 10 MB would do so dozens of times a second, and each time wait for every thread, those that
// hash passwords too. The block counts as heap but nothing writes to it, so it takes no memory of the machine; the heap
// that is really used may grow by as much. GOGC and GOMEMLIMIT work as ever.
const headroom = 32 << 20

func main() {
	block := make([]byte, headroom)
	caddycmd.Main()
	runtime.KeepAlive(block)
}
