package token

import "testing"

// ED-21: an issuer of a wildcard site is the origin of one label below it, exactly.
func TestIssuersOfAWildcard(t *testing.T) {
	v := &Verifier{own: newOwnIssuers([]string{"https://app.test", "https://*.example.com:8443", "https://*.eu.*.test"})}
	for iss, want := range map[string]bool{
		"https://app.test": true, "https://a.example.com:8443": true, "https://xn--bcher-kva.example.com:8443": true,
		"https://a.eu.b.test":   true,
		"https://a.example.com": false, "http://a.example.com:8443": false, "https://a.b.example.com:8443": false,
		"https://.example.com:8443": false,
		"https://example.com:8443":  false, "https://*.example.com:8443": false, "https://a.example.com:84433": false,
		"https://evil.example/a.example.com:8443": false,
		"https://a@b.example.com:8443":            false, "https://A.example.com:8443": false, "https://a.eu..test": false,
		"": false,
	} {
		if got := v.own.has(iss); got != want {
			t.Errorf("%q: %v", iss, got)
		}
	}
	if !v.mentionsIssuer(`{"iss":"https://a.example.com:8443"}`) || v.mentionsIssuer(`{"iss":"https://a.example.org"}`) {
		t.Error("an issuer of a wildcard is not seen in a token's text")
	}
}
