package edges

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// floodKind is one kind of request of a stranger.
type floodKind struct {
	name string
	raw  func(d dice) string
}

// floodKinds is what a stranger can send without an account, each as a request of its own that was never sent before.
var floodKinds = []floodKind{
	{"navigation", func(d dice) string {
		return line("GET", "/deep/"+d.text(12)+"?"+d.text(60), "app.test", navigates)
	}},
	{"navigation with an unknown flow", func(d dice) string {
		return line("GET", "/deep/"+d.text(12), "app.test", navigates, "Cookie: __Host-truxe-flow="+d.text(43))
	}},
	{"long deep link", func(d dice) string {
		return line("GET", "/deep/"+d.text(6)+"?q="+strings.Repeat(d.text(40), 1+d.IntN(190)), "app.test", navigates)
	}},
	{"deep link that grows when it is written as JSON", func(d dice) string {
		return line("GET", "/deep/"+d.text(12)+"?"+strings.Repeat("&", 4000), "app.test", navigates)
	}},
	{"refusal", func(d dice) string { return line("GET", "/api/"+d.text(12), "app.test", "Accept: */*") }},
	{"refused form", func(d dice) string {
		return body("POST", "/form/"+d.text(12), "app.test", "application/x-www-form-urlencoded", "text="+d.text(200),
			navigates)
	}},
	{"odd path", func(d dice) string {
		return line("GET", pick(d, "/admin;"+d.text(8), "/x/..%2f"+d.text(8), "/"+d.text(8)+"%00", "//"+d.text(8)+"//x",
			"/%25252e/"+d.text(8),
			strings.Repeat("/a;b%2fc", 1+d.IntN(400))), "app.test", "Accept: */*")
	}},
	{"rule that refuses every request",
		func(d dice) string { return line("GET", "/closed/"+d.text(12), "app.test", "Accept: */*") }},
	{"unknown session", func(d dice) string {
		return line("GET", "/"+d.text(8), "app.test", "Accept: */*", "Cookie: __Host-truxe="+d.text(43))
	}},
	{"unknown token", func(d dice) string {
		return line("GET", "/"+d.text(8), "app.test", "Authorization: Bearer trx_"+pick(d, "pat", "sk", "rt")+"_"+d.text(46))
	}},
	{"forged token", func(d dice) string {
		part := base64.RawURLEncoding.EncodeToString
		claims := fmt.Sprintf(`{"iss":"https://issuer.test","aud":"truxe","sub":"%s","jti":"%s","exp":4102444800}`,
			d.text(26), d.text(26))
		return line("GET", "/"+d.text(8), "app.test", "Authorization: Bearer "+
			part([]byte(`{"alg":"RS256","typ":"at+jwt","kid":"`+d.text(20)+`"}`))+"."+part([]byte(claims))+"."+d.text(342))
	}},
	{"unknown host", func(d dice) string {
		return line("GET", pick(d, "/", "/.truxe/login", "/.truxe/api/v1/session"), d.text(12)+".example", navigates)
	}},
	{"login page", func(d dice) string {
		return line("GET", "/.truxe/login?return=/"+d.text(30), pick(d, "app.test", portalHost), navigates)
	}},
	{"unknown way back", func(d dice) string {
		return line("GET", pick(d, "/.truxe/continue?r=", "/.truxe/login?r=",
			"/.truxe/callback?ticket="+d.text(43)+"&r=")+d.text(26), pick(d, "app.test", portalHost), navigates)
	}},
	{"passkey begin", func(d dice) string {
		return body("POST", "/.truxe/api/v1/login/passkey/begin", pick(d, "app.test", portalHost), "application/json", "{}",
			"Accept: application/json")
	}},
	{"unknown refresh token", func(d dice) string {
		return body("POST", "/.truxe/api/v1/token", "app.test", "application/x-www-form-urlencoded",
			"grant_type=refresh_token&refresh_token=trx_rt_"+d.text(50), "Accept: */*")
	}},
	{"revocation of an unknown token", func(d dice) string {
		return body("POST", "/.truxe/api/v1/revoke", "app.test", "application/x-www-form-urlencoded",
			"token=trx_rt_"+d.text(50), "Accept: */*")
	}},
}

// rareRequest is a request that costs the gateway much time: one in 2,000 is one.
func rareRequest(d dice) string {
	return body("POST", "/.truxe/api/v1/login", "app.test", "application/json",
		`{"username":"`+d.text(12)+`","password":"`+d.text(20)+`"}`, "Accept: */*")
}

const navigates = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\nAccept: text/html"

func line(method, target, host string, headers ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: flood\r\n" + strings.Join(headers,
		"\r\n") + "\r\n\r\n"
}

func body(method, target, host, kind, text string, headers ...string) string {
	headers = append(headers, "Content-Type: "+kind, fmt.Sprintf("Content-Length: %d", len(text)))
	return line(method, target, host, headers...) + text
}

// text is n letters and digits.
func (d dice) text(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	b := make([]byte, n)
	var bits uint64
	for i := range b {
		if i%12 == 0 {
			bits = d.Uint64()
		}
		b[i] = letters[bits&31]
		bits >>= 5
	}
	return string(b)
}
