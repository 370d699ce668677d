package authn

import (
	"net/netip"
	"testing"
)

// LK-08: the address of a client is the same however it is written, for the gate, the portal and every limit.
func TestAddressOfAClientHasOneForm(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "192.0.2.1:80": "192.0.2.1",
		"::ffff:192.0.2.1": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1",
		"fe80::1%eth0": "fe80::1", "[2001:db8::1%eth0]:1": "2001:db8::1",
	} {
		if got := (Client{Addr: text}).Address(); got != netip.MustParseAddr(want) {
			t.Errorf("%q is read as %s", text, got)
		}
	}
	for _, text := range []string{"", "@", "x", "192.0.2.1:x"} {
		if got := (Client{Addr: text}).Address(); got.IsValid() {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}
