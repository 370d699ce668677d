package loopback

import "testing"

func TestHostsOfThisMachine(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8443": true, "app.localhost": true, "LOCALHOST.": true, "127.0.0.1": true,
		"127.9.9.9:80": true, "[::1]:443": true, "::1": true, "[::1]": true, "::ffff:127.0.0.1": true,
		"example.com": false, "localhost.example.com": false, "notlocalhost": false, "128.0.0.1": false,
		"10.0.0.1:443": false, "": false, "::2": false, "127.0.0.1.example.com": false,
	} {
		if Host(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}
