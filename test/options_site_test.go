package test

import (
	"net/http"
	"testing"
)

// siteGateway has a host for each option of the directive, and bare.test without any.
func siteGateway(t *testing.T) *story {
	sites := ""
	for host, option := range map[string]string{
		"bare": "", "origin": "origin https://origin.test:9443", "public": "public /open", "allow-role": "allow role staff",
		"allow-user": "allow user root", "allow-permission": "allow permission orders:read",
		"mfa": "require mfa", "mfa-age": "require mfa max_age 10m", "passkey": "require passkey",
		"passkey-age": "require passkey max_age 10m", "network": "require network 10.0.0.0/8",
		"enforce": "allow role staff\n\t\tmode enforce", "report": "allow role staff\n\t\tmode report",
		"default": "headers default", "none": "headers none", "preset": "headers preset grafana",
		"utf8": "header_encoding utf8", "percent": "header_encoding percent",
		"header": "header X-Mine {http.auth.user.name}", "signed": "assertion on", "unsigned": "assertion off",
		"passing": "preflight pass", "denying": "preflight deny",
		"hard": "security_headers on", "soft": "security_headers off", "limit": "public /*\n\t\trate_limit 2 1h",
		"per-user": "rate_limit 2 1h per user", "per-ip": "rate_limit 2 1h per ip",
		"app": "app \"Order book\" {\n\t\t\ticon /icon.svg\n\t\t\tdescription \"Who ordered what\"\n\t\t\tstart /home\n\t\t}",
	} {
		sites += site(host+".test", "\ttruxe {\n\t\t"+option+"\n\t}\n\treverse_proxy UPSTREAM")
	}
	return tell(t, plot{options: "\t\tmfa optional", sites: sites})
}

func siteOptions(s *story) []optionRow {
	pia := s.login("bare.test", "pia", piaPassword).Access
	root := s.login("bare.test", "root", adminPassword).Access
	at := func(host, path string, headers ...[]string) func() string {
		return func() string {
			return s.withBearer(host+".test", pia).look(http.MethodGet, path, "", append(headers, program)...)
		}
	}
	s.user("zoë", piaPassword)
	zoe := s.login("bare.test", "zoë", piaPassword).Access
	named := func(host string) func() string {
		return func() string { return s.withBearer(host+".test", zoe).look(http.MethodGet, "/", "", program) }
	}
	stranger := func(host, path string) func() string {
		return func() string { return s.bare(host+".test").look(http.MethodGet, path, "", program) }
	}
	preflight := func(host string) func() string {
		return func() string {
			return s.bare(host+".test").look(http.MethodOptions, "/x", "",
				[]string{"Origin", "https://spa.test", "Access-Control-Request-Method", "PUT"})
		}
	}
	// third is the last of three requests of one user, then one of another
	third := func(host string, other string) func() string {
		return func() string {
			for range 2 {
				at(host, "/")()
			}
			return "third " + at(host, "/")()[:3] + ", other " + s.withBearer(host+".test", other).look(http.MethodGet, "/", "",
				program)[:3]
		}
	}
	apps := func(host string) func() string {
		return func() string {
			a := s.withBearer(host+".test", pia).api(http.MethodGet, "apps", nil).want(http.StatusOK)
			return a.body
		}
	}
	hidden := func() string { return "no app" }
	return []optionRow{
		{id: "site origin", with: apps("origin"), without: hidden, want: `https://origin.test:9443`},
		{id: "site public", with: stranger("public", "/open"), without: stranger("bare", "/open"), want: `^200`},
		{id: "site allow role", with: at("allow-role", "/"), without: at("bare", "/"), want: `^403.*role_required`},
		{id: "site allow user", with: at("allow-user", "/"), without: at("bare", "/"), want: `^403`},
		{id: "site allow permission", with: at("allow-permission", "/"), without: at("bare", "/"),
			want: `^403.*permission_required`},
		{id: "site require mfa", with: at("mfa", "/"), without: at("bare", "/"), want: `^401.*"acr_values":"2"`},
		{id: "site require mfa max_age", with: at("mfa-age", "/"), without: at("mfa", "/"), want: `^401.*"max_age":600`},
		{id: "site require passkey", with: at("passkey", "/"), without: at("mfa", "/"), want: `^401.*"acr_values":"3"`},
		{id: "site require passkey max_age", with: at("passkey-age", "/"), without: at("passkey", "/"),
			want: `^401.*"max_age":600`},
		{id: "site require network", with: at("network", "/"), without: at("bare", "/"), want: `^403.*network_denied`},
		{id: "site mode enforce", with: at("enforce", "/"), without: at("report", "/"), want: `^403`},
		{id: "site mode report", with: at("report", "/"), without: at("enforce", "/"), want: `^200`},
		{id: "site headers default", with: at("default", "/"), without: at("none", "/"), want: `\nRemote-User: pia\r\n`},
		{id: "site headers none", with: at("none", "/"), without: at("default", "/"), gone: `\nRemote-User: `},
		{id: "site headers preset", with: at("preset", "/"), without: at("bare", "/"), want: `\nX-Webauth-User: pia\r\n`},
		{id: "site header", with: at("header", "/"), without: at("bare", "/"), want: `\nX-Mine: pia\r\n`},
		{id: "site header_encoding utf8", with: named("utf8"), without: named("percent"), want: "\nRemote-User: zoë\r\n"},
		{id: "site header_encoding percent", with: named("percent"), without: named("utf8"),
			want: `\nRemote-User: zo%C3%AB\r\n`},
		{id: "site assertion on", with: at("signed", "/"), without: at("bare", "/"), want: `\nX-Truxe-Jwt-Assertion: ey`},
		{id: "site assertion off", with: at("unsigned", "/"), without: at("signed", "/"), gone: `\nX-Truxe-Jwt-Assertion: `},
		{id: "site preflight pass", with: preflight("passing"), without: preflight("bare"), want: `UPSTREAM\nOPTIONS /x`},
		{id: "site preflight deny", with: preflight("denying"), without: preflight("passing"), want: `^401`},
		{id: "site security_headers on", with: at("hard", "/"), without: at("bare", "/"),
			want: `\nX-Content-Type-Options: nosniff`},
		{id: "site security_headers off", with: at("soft", "/"), without: at("hard", "/"),
			gone: `\nX-Content-Type-Options: nosniff`},
		{id: "site rate_limit", with: third("limit", pia), without: third("bare", pia), want: `third 429`},
		{id: "site rate_limit per user", with: third("per-user", root), without: third("per-ip", root),
			want: `third 429, other 200`},
		{id: "site rate_limit per ip", with: third("per-ip", root), without: third("bare", root),
			want: `third 429, other 429`},
		{id: "site app", with: apps("app"), without: hidden, want: `"name":"Order book"`},
		{id: "site app icon", with: apps("app"), without: hidden, want: `"icon":"[^"]*/icon.svg"`},
		{id: "site app description", with: apps("app"), without: hidden, want: `"description":"Who ordered what"`},
		{id: "site app start", with: apps("app"), without: hidden, want: `"url":"https://app.test[^"]*/home"`},
	}
}
