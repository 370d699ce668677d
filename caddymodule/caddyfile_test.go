package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func adaptText(text string) (string, error) {
	raw, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return string(raw), err
}

// The matcher form strips identity on the whole site and judges what the matcher names; `truxe` comes before the proxy.
func TestDirectiveBecomesItsHandlersBeforeTheProxy(t *testing.T) {
	for text, want := range map[string][]string{
		"app.test {\n\ttruxe\n\treverse_proxy localhost:3000\n}": {`"handler":"truxe_portal"`,
			`"handler":"truxe_gate"`, `"handler":"reverse_proxy"`},
		"app.test {\n\ttruxe /a/*\n\treverse_proxy localhost:3000\n}": {`"handler":"truxe_portal"`,
			`"match":[{"path":["/a/*"]}]`, `"handler":"reverse_proxy"`},
		"auth.test {\n\ttruxe portal\n}":                                                   {`"handler":"truxe_portal","only":true`},
		"v.test {\n\ttruxe forward_auth {\n\t\thosts a.test\n\t}\n}":                       {`"handler":"truxe_forward_auth","hosts":["a.test"]`, `"only":true`},
		"v.test {\n\ttruxe forward_auth {\n\t\thosts a.test\n\t\tfrom envoy\n\t}\n}":       {`"from":"envoy"`},
		"{\n\ttruxe {\n\t\tportal auth.test\n\t\tsession {\n\t\t\tidle 30m\n\t\t}\n\t}\n}": {`"truxe":{"portal":"auth.test","session":{"idle":1800000000000}}`},
		"{\n\ttruxe {\n\t\tmfa optional\n\t}\n}":                                           {`"truxe":{"mfa":{}}`},
		"{\n\ttruxe {\n\t\tmfa required\n\t}\n}":                                           {`"truxe":{"mfa":{"required":true}}`},
		"{\n\ttruxe {\n\t\tmfa required for role a b\n\t\tmfa required for role c\n\t}\n}": {`"truxe":{"mfa":{"required":true,"roles":["a","b","c"]}}`},
	} {
		got, err := adaptText(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		at := 0
		for _, part := range want {
			i := strings.Index(got[at:], part)
			if i < 0 {
				t.Errorf("%s: %s is missing or out of order in %s", text, part, got)
				break
			}
			at += i
		}
	}
}

// Mistakes are errors with file, line and the nearest word; what this version does not have is refused, not ignored.
func TestMistakesNameTheLineAndTheNearestWord(t *testing.T) {
	for text, want := range map[string]string{
		"{\n\ttruxe {\n\t\tportall auth.test\n\t}\n}":                                     `unknown option "portall"; did you mean "portal"?, at Caddyfile:3`,
		"app.test {\n\ttruxe {\n\t\tpubilc /x\n\t}\n}":                                    `did you mean "public"`,
		"app.test {\n\ttruxe protal\n}":                                                   `did you mean "portal"`,
		"{\n\ttruxe {\n\t\tmfa\n\t}\n}":                                                   `wrong argument count`,
		"{\n\ttruxe {\n\t\tmfa requird\n\t}\n}":                                           `mfa cannot be "requird"; did you mean "required"?`,
		"{\n\ttruxe {\n\t\tmfa required for admin\n\t}\n}":                                "mfa is `optional` or `required [for role <role...>]`, at Caddyfile:3",
		"{\n\ttruxe {\n\t\tmfa optional for role staff\n\t}\n}":                           "mfa is `optional` or",
		"{\n\ttruxe {\n\t\tmfa required for role\n\t}\n}":                                 "mfa is `optional` or",
		"{\n\ttruxe {\n\t\tmfa optional\n\t\tmfa required\n\t}\n}":                        "both `optional` and `required`",
		"{\n\ttruxe {\n\t\tmfa required for role a\n\t\tmfa required\n\t}\n}":             "already required for all users",
		"{\n\ttruxe {\n\t\tsession {\n\t\t\tidle soon\n\t\t}\n\t}\n}":                     `not a duration`,
		"{\n\ttruxe {\n\t\tstorage mysql x\n\t}\n}":                                       `unknown storage "mysql"`,
		"app.test {\n\ttruxe forward_auth {\n\t\thosts a.test\n\t\tfrom ngnix\n\t}\n}":    `from cannot be "ngnix"; did you mean "nginx"`,
		"app.test {\n\ttruxe forward_auth\n}":                                             "needs `hosts`",
		"app.test {\n\ttruxe {\n\t\tallow rol staff\n\t}\n}":                              `did you mean "role"`,
		"{\n\ttruxe {\n\t\tpassword {\n\t\t\thash bcrypt 31\n\t\t}\n\t}\n}":               `from 10 to 15`,
		"app.test {\n\ttruxe {\n\t\tmode reprot\n\t}\n}":                                  `mode cannot be "reprot"; did you mean "report"`,
		"app.test {\n\ttruxe {\n\t\tapp Orders {\n\t\t\tstart //evil.test\n\t\t}\n\t}\n}": `start is a path of the app`,
		"app.test {\n\ttruxe {\n\t\tpolicy\n\t}\n}":                                       `wrong argument count`,
		"app.test {\n\ttruxe {\n\t\trequire mfaa\n\t}\n}":                                 `"mfaa" is unknown; did you mean "mfa"`,
		"app.test {\n\ttruxe {\n\t\trequire mfa 10m\n\t}\n}":                              "require mfa [max_age <duration>]",
		"app.test {\n\ttruxe {\n\t\trequire passkey max_age soon\n\t}\n}":                 `max_age: "soon" is not a duration`,
		"app.test {\n\ttruxe {\n\t\trequire network 10.1.0.0/8\n\t}\n}":                   "did you mean 10.0.0.0/8?, at Caddyfile:3",
		"app.test {\n\ttruxe {\n\t\trequire network office\n\t}\n}":                       `"office" is no network`,
		"app.test {\n\ttruxe {\n\t\tassertion yes\n\t}\n}":                                `assertion cannot be "yes"`,
		"{\n\ttruxe {\n\t\twebhook https://x\n\t}\n}":                                     `"webhook" is not available in this version`,
		"{\n\ttruxe {\n\t\tsmtp smtp://x\n\t}\n}":                                         "smtp needs whom its mails are from",
		"{\n\ttruxe {\n\t\tsmtp smtp://x {\n\t\t\tform a@b\n\t\t}\n\t}\n}":                `unknown option of smtp "form"; did you mean "from"?, at Caddyfile:4`,
		"{\n\ttruxe {\n\t\tsmtp smtp://u:pa%ss@x {\n\t\t\tfrom a@b\n\t\t}\n\t}\n}":        "the password of smtp is written in the configuration",
	} {
		if _, err := adaptText(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// AU-07 a password in an address is seen although the address is not a URL; a placeholder is not a password.
func TestPasswordsInAddresses(t *testing.T) {
	for address, plain := range map[string]bool{
		"smtp://u:pass@h": true, "smtp://u:pa%ss@h": true, "smtp://u:p@{env.X}@h": true, "redis://:pa ss@h": true,
		"smtp://u:{env.X}@h:587": false, "smtp://{env.U}:{env.P}@h": false, "{env.SMTP}": false, "smtp://h:25": false,
		"redis://:{file./x/y}@h": false,
	} {
		if err := refusePasswordInText("smtp", address); (err != nil) != plain {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// CVE-2024-21493: no Caddyfile makes the parser panic.
func FuzzCaddyfile(f *testing.F) {
	for _, s := range []string{"portal a.test", "redis redis://x {\n\t\t\ton_loss stale 5s\n\t\t}",
		"jwt {\n\t\t\ttrust https://x {\n\t\t\t\tjwks f\n\t\t\t\taudience a\n\t\t\t}\n\t\t}", "rate_limit login 5 5m",
		"brand {", "}"} {
		f.Add(s, "public /x\n\t\tallow role a")
	}
	f.Fuzz(func(_ *testing.T, global, site string) {
		if len(global)+len(site) > 1000 || strings.Contains(global+site, "import") {
			return
		}
		_, _ = adaptText("{\n\ttruxe {\n\t\t" + global + "\n\t}\n}\napp.test {\n\ttruxe {\n\t\t" + site + "\n\t}\n}\n")
	})
}
