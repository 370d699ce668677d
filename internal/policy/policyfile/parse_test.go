package policyfile

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// contract is the example of CONTRACT section 10, word for word.
const contract = `roles:
  viewer: { permissions: ["orders:read"] }
  editor: { inherits: [viewer], permissions: ["orders:write"] }
  admin:  { permissions: ["*"] }
networks:
  office: [10.0.0.0/8]
rules:
  - id: orders-write
    effect: allow                        # public | allow | require | deny
    hosts: [orders.example.com]
    methods: [POST, PUT, PATCH, DELETE]
    paths: ["/orders/**"]                # * is one segment, ** the rest; judged on the canonical path where ` +
	"`truxe`" + ` stands
    to: { permission: "orders:write" }   # or role, user, client, anyone_signed_in
  - id: admin-mfa
    effect: require
    hosts: [orders.example.com]
    paths: ["/admin/**"]
    require: { mfa: true, max_age: 10m }
    when: 'request.method != "HEAD"'     # CEL
    reason: "Admin pages need a second factor."
    mode: enforce                        # or report
`

func one(text string) []Source { return []Source{{Name: "policies/orders.yaml", Text: []byte(text)}} }

func TestTheExampleOfTheContractIsRead(t *testing.T) {
	doc, err := Parse(one(contract))
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Rules) != 2 || doc.Rules[1].When == nil {
		t.Fatalf("%+v", doc.Rules)
	}
	doc.Rules[1].When = nil
	want := []Rule{
		{policy.Rule{ID: "orders-write", Effect: policy.EffectAllow, Hosts: []string{"orders.example.com"},
			Methods: []string{"POST", "PUT", "PATCH", "DELETE"},
			Globs:   []string{"/orders/**"}, Permissions: []string{"orders:write"}, FromFile: true,
			At: policy.Position{File: "policies/orders.yaml", Line: 8, Column: 5}}, "orders"},
		{policy.Rule{ID: "admin-mfa", Effect: policy.EffectRequire, Hosts: []string{"orders.example.com"},
			Globs:     []string{"/admin/**"},
			Assurance: identity.Assurance{MFA: true, MaxAge: 10 * time.Minute}, Reason: "Admin pages need a second factor.",
			FromFile: true, At: policy.Position{File: "policies/orders.yaml", Line: 14, Column: 5}}, "orders"},
	}
	if !reflect.DeepEqual(doc.Rules, want) {
		t.Errorf("%+v\nwant %+v", doc.Rules, want)
	}
	if role, ok := doc.Roles.Allows([]string{"editor"}, "orders:read"); !ok || role != "editor" {
		t.Error("editor does not inherit orders:read")
	}
	if office := doc.Networks["office"]; len(office) != 1 || office[0] != netip.MustParsePrefix("10.0.0.0/8") {
		t.Errorf("office is %v", office)
	}
}

// rule is a sound rule and more lines of it; roles are some.
func rule(lines string) string {
	return "rules:\n  - id: a\n    effect: allow\n    to: anyone_signed_in\n" + lines
}

const roles = "roles:\n  editor: { permissions: [\"orders:write\"] }\nnetworks:\n  office: [10.0.0.0/8]\n"

// mistakes are policies with one, each with its message.
var mistakes = map[string]struct{ text, want string }{
	"the line of UX section 5": {roles +
		"rules:\n  - id: orders-write\n    effect: allow\n    hosts: [orders.example.com]\n    to:\n      role: edtor\n",
		`policies/orders.yaml:10:13: unknown role "edtor" in rule "orders-write"; did you mean "editor"?`},
	"unknown key on top":    {"rulse: []\n", `1:1: policy file: unknown key "rulse"; did you mean "rules"?`},
	"unknown key of a rule": {rule("    path: [/a]\n"), `5:5: rule "a": unknown key "path"; did you mean "paths"?`},
	"unknown key of a role": {"roles:\n  a: { permission: [\"x:y\"] }\n",
		`2:8: role "a": unknown key "permission"; did you mean "permissions"?`},
	"unknown key of to": {"rules: [{id: a, effect: allow, to: {roles: x}}]\n",
		`1:37: to of rule "a": unknown key "roles"; did you mean "role"?`},
	"unknown key of require": {"rules: [{id: a, effect: require, require: {network: [10.0.0.0/8]}}]\n",
		`unknown key "network"; did you mean "networks"?`},
	"key in other case": {"Rules: []\n", `unknown key "Rules"; did you mean "rules"?`},
	"key twice":         {rule("    effect: deny\n"), `5:5: rule "a": "effect" appears twice, first in line 3`},
	"rules twice": {"rules: [{id: a, effect: deny}]\nrules: [{id: b, effect: deny}]\n",
		`2:1: policy file: "rules" appears twice`},
	"role twice in a file": {"roles:\n  a: {}\n  a: {}\n", `3:3: roles: "a" appears twice`},
	"id twice": {"rules: [{id: a, effect: deny}, {id: a, effect: deny}]\n",
		`1:37: there are two rules "a"; the first is at policies/orders.yaml:1:14`},
	"no id": {"rules: [{effect: deny}]\n", `1:9: rule 1 has no id`},
	"id of a Caddyfile's rule": {"rules: [{id: \"caddyfile:public#1\", effect: deny}]\n",
		`id "caddyfile:public#1": it is made of`},
	"id as a number": {"rules: [{id: 7, effect: deny}]\n",
		`1:14: id of rule 1: want text, got a number; write "7" in quotes`},
	"no effect": {"rules: [{id: a}]\n", `1:9: rule "a" has no effect`},
	"wrong effect": {"rules: [{id: a, effect: alow}]\n",
		`1:25: effect of rule "a": "alow" is not one of public, allow, require, deny; did you mean "allow"?`},
	"allow without to": {"rules: [{id: a, effect: allow}]\n",
		`rule "a" does not say whom it allows; write ` + "`to: anyone_signed_in`"},
	"public to a role": {"rules: [{id: a, effect: public, to: {role: x}}]\n",
		`1:33: rule "a": a public rule is for everyone`},
	"require to a role": {"rules: [{id: a, effect: require, to: {role: x}, require: {mfa: true}}]\n",
		"a require rule has no `to`; write `require: {role: …}`"},
	"require nothing": {"rules: [{id: a, effect: require}]\n", `rule "a" requires nothing`},
	"require {}":      {"rules: [{id: a, effect: require, require: {}}]\n", `it requires nothing`},
	"require in allow": {rule("    require: {mfa: true}\n"),
		"5:5: rule \"a\": only a rule with `effect: require` has `require`"},
	"mfa off": {"rules: [{id: a, effect: require, require: {mfa: false}}]\n",
		`mfa of rule "a": want true, got true or false; leave it out`},
	"mfa as text": {"rules: [{id: a, effect: require, require: {mfa: \"true\"}}]\n", `want true, got text`},
	"max_age as a number": {"rules: [{id: a, effect: require, require: {max_age: 600}}]\n",
		`max_age of rule "a": want text, got a number`},
	"max_age negative": {"rules: [{id: a, effect: require, require: {max_age: -5m}}]\n",
		`"-5m" is not a duration such as 10m, 1h or 30d`},
	"to: role": {"rules: [{id: a, effect: allow, to: editor}]\n",
		`"editor" is not anyone_signed_in; name users as`},
	"to: slip": {"rules: [{id: a, effect: allow, to: anyone_signedin}]\n",
		`did you mean "anyone_signed_in"?`},
	"to {}": {"rules: [{id: a, effect: allow, to: {}}]\n", `it names no user`},
	"to []": {"rules: [{id: a, effect: allow, to: {role: []}}]\n", `the list is empty`},
	"deny to all signed in": {"rules: [{id: a, effect: deny, to: anyone_signed_in}]\n",
		`a deny rule is for everyone when it has no`},
	"anyone and a role": {"rules: [{id: a, effect: allow, to: {anyone_signed_in: true, role: x}}]\n",
		`no other user needs a name`},
	"unknown role": {roles + "rules: [{id: a, effect: deny, to: {role: [edtor]}}]\n",
		`unknown role "edtor" in rule "a"; did you mean "editor"?`},
	"unknown role inherited": {"roles:\n  editor: {}\n  boss: { inherits: [edior] }\n",
		`3:22: unknown role "edior", inherited by "boss"; did you mean "editor"?`},
	"roles in a circle": {"roles:\n  a: { inherits: [b] }\n  b: { inherits: [a] }\n",
		`2:3: role "a" inherits itself`},
	"bad permission": {"roles:\n  a: { permissions: [orders] }\n",
		`2:22: role "a": permission "orders" is not "resource:action"`},
	"bad permission of a rule": {"rules: [{id: a, effect: allow, to: {permission: \"or*:read\"}}]\n",
		`"*" must be alone on its side`},
	"bad role name":       {"roles:\n  \"a,b\": {}\n", `2:3: role "a,b": a name is`},
	"role without quotes": {"roles:\n  1: {}\n", `2:3: roles: want a name before the colon, got a number`},
	"empty roles":         {"roles: {}\n", `leave roles out instead`},
	"empty rules":         {"rules: []\n", `1:8: rules: the list is empty; leave rules out instead`},
	"rules commented out": {"rules:\n#  - id: a\n", `rules: want a list [a, b], got nothing`},
	"rules as a mapping":  {"rules: {id: a}\n", `want a list [a, b], got a mapping`},
	"a rule as text":      {"rules: [a]\n", `1:9: rule 1: want a mapping (name: value), got text`},
	"a list on top":       {"- id: a\n", `1:1: policy file: want a mapping`},
	"hosts as text": {rule("    hosts: app.example.com\n"),
		`5:12: hosts of rule "a": want a list [a, b], got text`},
	"no hosts in the list": {rule("    hosts: []\n"), `the list is empty; leave hosts of rule "a" out instead`},
	"host with port": {rule("    hosts: [\"app.example.com:8443\"]\n"),
		`5:13: host "app.example.com:8443" in rule "a": write it without the port`},
	"host as URL": {rule("    hosts: [https://app.example.com]\n"), `write the name alone`},
	"host in Unicode": {rule("    hosts: [bücher.example]\n"),
		`browsers send this name as xn--bcher-kva.example`},
	"host of dots":   {rule("    hosts: [a..b]\n"), `host "a..b" in rule "a"`},
	"IPv6 host bare": {rule("    hosts: [\"2001:db8::1\"]\n"), `in brackets`},
	"host twice": {rule("    hosts: [a.test, a.test]\n"),
		`5:21: hosts of rule "a": "a.test" appears twice`},
	"method in small letters": {rule("    methods: [get]\n"),
		`5:15: method "get" in rule "a": methods are compared exactly; write GET`},
	"no such method": {rule("    methods: [PSOT]\n"),
		`method "PSOT" in rule "a": it is no HTTP method; did you mean "POST"?`},
	"methods in one text": {rule("    methods: [\"GET, HEAD\"]\n"), `it is no HTTP method`},
	"glob in the middle": {rule("    paths: [\"/a/**/b\"]\n"),
		`5:13: path "/a/**/b" in rule "a": write a path from the root`},
	"glob in a segment": {rule("    paths: [\"/a*\"]\n"), `did you mean "/a/**"?`},
	"path from nowhere": {rule("    paths: [orders]\n"), `did you mean "/orders"?`},
	"path with dots":    {rule("    paths: [/a/../b]\n"), `path "/a/../b"`},
	"path with query":   {rule("    paths: [\"/a?b\"]\n"), `path "/a?b"`},
	"paths in one text": {rule("    paths: /a, /b\n"), `want a list`},
	"network with host bits": {"networks:\n  lan: [192.168.1.7/24]\n",
		`2:9: network "lan": 192.168.1.7/24 has bits beyond its mask; did you mean 192.168.1.0/24?`},
	"network, not valid": {"networks:\n  lan: [\"10.0.0.0/33\"]\n", `"10.0.0.0/33" is no network`},
	"IPv4 as IPv6": {"networks:\n  lan: [\"::ffff:10.0.0.0/104\"]\n",
		`write IPv4 networks as IPv4: 10.0.0.0/8`},
	"nothing in a network": {"networks:\n  lan: []\n", `the list is empty`},
	"network name":         {"networks:\n  10.0.0.0/8: [10.0.0.0/8]\n", `a name is a letter and then`},
	"unknown network": {roles + rule("    networks: [ofice]\n"),
		`9:16: networks of rule "a": unknown network "ofice"; did you mean "office"?`},
	"unknown network required": {roles + "rules: [{id: a, effect: require, require: {networks: [ofice]}}]\n",
		`did you mean "office"?`},
	"mode": {rule("    mode: reprot\n"),
		`mode of rule "a": "reprot" is neither enforce nor report; did you mean "report"?`},
	"reason hides text":         {rule("    reason: \"a\\u202eb\"\n"), `characters that do not show`},
	"condition of a wrong type": {rule("    when: request.method\n"), `5:11: when of rule "a": `},
	"condition with a slip": {rule("    when: 'request.methd == \"GET\"'\n"),
		`5:20: when of rule "a": unknown field "methd" of request; did you mean "method"?`},
	"condition in lines": {rule("    when: |\n      request.method == \"GET\" &&\n        user.role == \"x\"\n"),
		`7:14: when of rule "a": unknown field "role" of user; did you mean "roles"?`},
	"condition folded": {rule("    when: >\n      request.method == \"GET\" &&\n      user.role == \"x\"\n"),
		`5:11: when of rule "a": unknown field "role"`},
	"condition on a network": {roles + rule("    when: in_network(request.ip, \"ofice\")\n"),
		`unknown network "ofice"; did you mean "office"?`},
	"expensive condition": {rule("    when: \"" + strings.Repeat("request.path.matches('(a+)+$') || ",
		30) + "true\"\n"), `when of rule "a": `},
	"empty condition": {rule("    when: \"\"\n"), `it is empty`},
	"anchor":          {"rules: &all [{id: a, effect: deny}]\n", `1:8: anchors and aliases`},
	"alias":           {"networks: {a: &x [10.0.0.0/8], b: *x}\n", `1:35: anchors and aliases`},
	"merge key":       {"roles: {a: {<<: {}}}\n", `merge keys (<<) are not taken`},
	"tag":             {"rules: !!set {a}\n", `tags such as "!!set" are not taken`},
	"binary":          {"rules: [{id: !!binary YQ==, effect: deny}]\n", `tags such as`},
	"deep": {"rules: " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n",
		`nested too deeply`},
	"two documents": {"rules: [{id: a, effect: deny}]\n---\nrules: [{id: b, effect: deny}]\n",
		`a second document`},
	"not YAML":              {"rules: [\n", `not YAML: `},
	"not YAML, with a line": {"rules:\n  - id: a\n   effect: b\n", `policies/orders.yaml:`},
	"not UTF-8":             {"rules: [{id: \"\xff\", effect: deny}]\n", `it is not UTF-8 text`},
	"UTF-16":                {"\xff\xfer\x00u\x00", `it is not UTF-8 text`},
}

// AZ-01: a policy that is not wholly understood is refused, with the place and the nearest valid word.
func TestMistakesAreToldWithPlaceAndRemedy(t *testing.T) {
	for name, c := range mistakes {
		doc, err := Parse(one(c.text))
		if err == nil {
			t.Errorf("%s: taken: %+v", name, doc.Rules)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "policies/orders.yaml") {
			t.Errorf("%s:\n got %v\nwant %s", name, err, c.want)
		}
		var p *policy.Problem
		if !errors.As(err, &p) || p.At.File == "" {
			t.Errorf("%s: no place: %v", name, err)
		}
	}
}

// A user who fixes a file wants all of its mistakes at once, but no more than a screen or two.
func TestAllMistakesOfAllFilesAreToldInOrder(t *testing.T) {
	_, err := Parse([]Source{
		{Name: "p/b.yaml",
			Text: []byte("rules:\n  - {id: a, effect: deny, methods: [get], paths: [x, '/y*']}\n  - {id: c, effect: alow}\n")},
		{Name: "p/a.yaml", Text: []byte("roles: {a: {permissions: [x]}}\nrules: [{id: a, effect: deny}]\n")},
		{Name: "p/c.yaml", Text: []byte("roles: {a: {}}\n")},
		{Name: "p/d.yaml", Text: []byte("a: [\n")},
	})
	if err == nil {
		t.Fatal("taken")
	}
	want := []string{`p/a.yaml:1:27: role "a": permission "x"`,
		`p/b.yaml:2:10: there are two rules "a"; the first is at p/a.yaml:2:14`, "p/b.yaml:2:37: method",
		"p/b.yaml:2:51: path",
		"p/b.yaml:2:54: path", "p/b.yaml:3:21: effect",
		`p/c.yaml:1:9: role "a" is defined twice, first at p/a.yaml:1:9`, "p/d.yaml:"}
	got := strings.Split(err.Error(), "\n")
	for i := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("line %d of\n%v\nwant %s", i+1, err, want[i])
		}
	}
	many := "rules:\n" + strings.Repeat("  - {}\n", 60)
	if _, err = Parse(one(many)); strings.Count(err.Error(), "\n") != maxProblems ||
		!strings.HasSuffix(err.Error(), "and 70 more") {
		t.Errorf("60 bad rules are told as\n%v", err)
	}
}
