package test

import (
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// ED-21 (FIELD-CASES 12): passkeys are made for, and accepted from, the address that the browser shows, where a proxy
// in front ends TLS and the gateway speaks plain http on another port.
func TestPasskeyBehindATLSTerminatingProxy(t *testing.T) {
	port := rig.Port(t)
	s := tell(t, plot{global: behind, sites: site(`http://app.example.com:{{port "inner"}}`,
		"\ttruxe {\n\t\torigin https://app.example.com:"+itoa(port)+"\n\t}"+appPage)})
	front := rig.Gateway(t, rig.Options{Ports: map[string]int{"https": port},
		Caddyfile: site("app.example.com", "\treverse_proxy 127.0.0.1:"+itoa(s.g.Port("inner")))})
	v := s.view(t, false)
	v.g = front
	v.InEveryPage(tellsRequests)
	device := v.NewAuthenticator()
	v.Open(v.at("app", "/.truxe/account/passkeys"))
	v.signIn("pia", piaPassword)
	v.WaitText("h1", "Passkeys")
	device.Present(true)
	v.Click(passkeyButton)
	v.WaitText("main .note", "Your passkey is ready.")
	v.signOut("app", v.quiet)
	link := v.at("app", "/orders?id=7")
	v.goes(link)
	v.lands(link)
	v.quiet("app")
}
