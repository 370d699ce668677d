package caddymodule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// called lists the sites of a Caddyfile as the command line reads them: host, a space, and its origins.
func called(t *testing.T, caddyfile string) []string {
	t.Helper()
	text, err := adaptText(caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := offlineConfig([]byte(text), false)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, s := range cfg.Sites {
		list = append(list, strings.TrimSpace(s.Host+" "+strings.Trim(fmt.Sprint(s.Origins), "[]")))
	}
	return list
}

// ED-21 (FIELD-CASES 9 to 15, and "http://localhost:8080 becomes https:// offline"): what a site is called outside
// follows from its address, from the proxies that its server names, and from `origin`.
func TestSitesAreCalledWhatBrowsersCallThem(t *testing.T) {
	const proxies = "{\n\tservers {\n\t\ttrusted_proxies static 10.0.0.1\n\t}\n}\n"
	for name, c := range map[string]struct {
		caddyfile string
		want      []string
	}{
		"https": {"app.example.com {\n\ttruxe\n}", []string{"app.example.com https://app.example.com"}},
		"https on another port": {"app.example.com:8443 {\n\ttruxe\n}",
			[]string{"app.example.com https://app.example.com:8443"}},
		"https_port": {"{\n\thttps_port 8443\n}\napp.example.com {\n\ttruxe\n}",
			[]string{"app.example.com https://app.example.com:8443 https://app.example.com"}},
		"plain http on loopback": {"http://localhost:8080 {\n\ttruxe\n}", []string{"localhost http://localhost:8080"}},
		"http_port": {"{\n\thttp_port 8080\n}\nhttp://localhost {\n\ttruxe\n}",
			[]string{"localhost http://localhost"}},
		"an IPv6 address": {"http://[::1]:8080 {\n\ttruxe\n}", []string{"::1 http://[::1]:8080"}},
		"auto_https off": {"{\n\tauto_https off\n}\nhttps://app.example.com {\n\ttruxe\n}",
			[]string{"app.example.com https://app.example.com"}},
		"behind a proxy": {proxies + "http://app.example.com:8080 {\n\ttruxe\n}",
			[]string{"app.example.com https://app.example.com"}},
		"behind, on loopback": {proxies + "http://app.localhost:8080 {\n\ttruxe\n}",
			[]string{"app.localhost https://app.localhost http://app.localhost:8080"}},
		"behind, another listener": {"{\n\tservers :9090 {\n\t\ttrusted_proxies static 10.0.0.1\n\t}\n}\nhttp://app.example.com:8080 {\n\ttruxe\n}", []string{"app.example.com http://app.example.com:8080"}},
		"a unix socket": {"{\n\tservers {\n\t\ttrusted_proxies_unix\n\t}\n}\nhttp://app.example.com {\n\tbind unix//run/c.sock\n\ttruxe\n}",
			[]string{"app.example.com https://app.example.com"}},
		"trusted sockets, none used": {"{\n\tservers {\n\t\ttrusted_proxies_unix\n\t}\n}\nhttp://app.example.com {\n\ttruxe\n}", []string{"app.example.com http://app.example.com"}},
		"origin": {"app.example.com {\n\ttruxe {\n\t\torigin https://app.example.com:9443\n\t}\n}",
			[]string{"app.example.com https://app.example.com:9443"}},
		"origins of two hosts": {"a.example.com, b.example.com {\n\ttruxe {\n\t\torigin https://b.example.com:9443\n\t}\n}",
			[]string{"a.example.com https://a.example.com", "b.example.com https://b.example.com:9443"}},
		"a wildcard":           {"*.example.com {\n\ttruxe\n}", []string{"*.example.com https://*.example.com"}},
		"origin of a wildcard": {"*.example.com {\n\ttruxe {\n\t\torigin https://*.example.com:9443\n\t\torigin https://a.example.com:7443\n\t}\n}", []string{"*.example.com https://*.example.com:9443", "a.example.com https://a.example.com:7443"}},
		"no host name":         {proxies + "http:// {\n\ttruxe\n}", []string{""}},
		"origin of no host name": {proxies + "http:// {\n\ttruxe {\n\t\torigin https://app.example.com\n\t}\n}",
			[]string{"", "app.example.com https://app.example.com"}},
		"hosts of a wildcard": {"*.example.com {\n\t@a host a.example.com\n\thandle @a {\n\t\ttruxe\n\t}\n\t@b host b.example.com c.example.com other.test\n\thandle @b {\n\t\ttruxe\n\t}\n}",
			[]string{"a.example.com https://a.example.com", "b.example.com https://b.example.com",
				"c.example.com https://c.example.com"}},
		"two ports, in order": {"app.example.com {\n\ttruxe\n}\napp.example.com:8443 {\n\ttruxe\n}\nb.example.com {\n\ttruxe\n}\na.example.com {\n\ttruxe\n}",
			[]string{"app.example.com https://app.example.com", "b.example.com https://b.example.com",
				"a.example.com https://a.example.com", "app.example.com https://app.example.com:8443"}},
	} {
		if got := called(t, c.caddyfile); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// ED-31: sites are listed in one order, so that the setup link leads to the same site at every start.
func TestSitesHaveOneOrder(t *testing.T) {
	var text strings.Builder
	for i := range 12 {
		fmt.Fprintf(&text, "a%d.example.com:%d {\n\ttruxe\n}\n", i, 9000+i)
	}
	first := called(t, text.String())
	for range 20 {
		if again := called(t, text.String()); !slices.Equal(again, first) {
			t.Fatalf("%q, then %q", first, again)
		}
	}
	if first[0] != "a0.example.com https://a0.example.com:9000" ||
		first[11] != "a11.example.com https://a11.example.com:9011" {
		t.Errorf("%q", first)
	}
}

// ED-06 R1 a directive where Caddy handles an answer, or an error of an inner block, protects nothing that was not sent
// to the app already, and its site would not be known: the configuration is refused. In the site itself it is as
// before.
func TestDirectivesInsideOfAnswersAreRefused(t *testing.T) {
	for name, caddyfile := range map[string]string{
		"handle_response": "app.example.com {\n\treverse_proxy 10.0.0.1 {\n\t\thandle_response {\n\t\t\ttruxe\n\t\t\trespond x\n\t\t}\n\t}\n}",
		"beside a gate":   "app.example.com {\n\ttruxe\n\treverse_proxy 10.0.0.1 {\n\t\t@ok status 200\n\t\thandle_response @ok {\n\t\t\thandle {\n\t\t\t\ttruxe\n\t\t\t}\n\t\t}\n\t}\n}",
	} {
		text, err := adaptText(caddyfile)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := offlineConfig([]byte(text), true); err == nil || !strings.Contains(err.Error(), "handle_response") ||
			!strings.Contains(err.Error(), "write it in the site itself") {
			t.Errorf("%s: %v", name, err)
		}
	}
	const server = `{"apps":{"http":{"servers":{"s":{"listen":[":443"],"routes":[{"handle":[%s]}]}}}}}`
	for field, handler := range map[string]string{
		"errors of subroute":           `{"handler":"subroute","routes":[],"errors":{"routes":[{"handle":[{"handler":"truxe_gate"}]}]}}`,
		"handle_response of intercept": `{"handler":"intercept","handle_response":[{"routes":[{"handle":[{"handler":"truxe_portal"}]}]}]}`,
	} {
		if _, err := offlineConfig(fmt.Appendf(nil, server, handler), true); err == nil ||
			!strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, fine := range []string{
		"app.example.com {\n\ttruxe\n\treverse_proxy 10.0.0.1 {\n\t\thandle_response {\n\t\t\trespond truxe_gate\n\t\t}\n\t}\n}",
		"app.example.com {\n\ttruxe\n\thandle_errors {\n\t\ttruxe portal\n\t}\n}",
		"app.example.com {\n\thandle /a/* {\n\t\troute {\n\t\t\ttruxe\n\t\t}\n\t}\n}",
	} {
		if got := called(t, fine); !slices.Contains(got, "app.example.com https://app.example.com") {
			t.Errorf("control: %q: %q", fine, got)
		}
	}
}
