package policyfile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// lintOf returns the findings of a policy as "kind name".
func lintOf(t testing.TB, text string, c Context) []string {
	t.Helper()
	doc, err := Parse(one(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var got []string
	for _, f := range Lint(doc, c) {
		if f.Remedy == "" || f.Place == "" || f.At.Line == 0 ||
			!strings.HasPrefix(f.String(), "warn  policies/orders.yaml:") && !f.Note {
			t.Errorf("%+v", f)
		}
		got = append(got, f.ID+" "+f.Name)
	}
	return got
}

// Each finding has a policy in which it is made, and beside it one in which it is not.
func TestLintFindsWhatLooksWrong(t *testing.T) {
	host := "hosts: [a.test], "
	for name, c := range map[string]struct{ rules, want string }{
		"sound":                {"{id: a, effect: allow, " + host + "to: {role: r}}", ""},
		"public everywhere":    {"{id: a, effect: public, hosts: [a.test]}", "wide-public a"},
		"public /**":           {"{id: a, effect: public, hosts: [a.test], paths: [/x, /**]}", "wide-public a"},
		"public on every host": {"{id: a, effect: public, paths: [/x]}", "wide-public a"},
		"public some paths":    {"{id: a, effect: public, hosts: [a.test], paths: [/x/**]}", ""},
		"public for a network": {"{id: a, effect: public, hosts: [a.test], networks: [192.0.2.0/24]}", ""},
		"same twice": {"{id: a, effect: deny, " + host +
			"methods: [GET, PUT]}, {id: b, effect: deny, methods: [PUT, GET], " + host + "reason: x}", "duplicate-rule b"},
		"same but for the mode": {"{id: a, effect: deny, " + host + "mode: report}, {id: b, effect: deny, " +
			host + "}", ""},
		"allow below public": {"{id: a, effect: public, " + host +
			"paths: [/x/**]}, {id: b, effect: allow, " + host + "paths: [/x/y], to: {role: r}}", "shadowed-rule b"},
		"allow beside public": {"{id: a, effect: public, " + host +
			"paths: [/x/**]}, {id: b, effect: allow, " + host + "paths: [/x], to: {role: r}}", ""},
		"allow some below allow all": {"{id: a, effect: allow, to: anyone_signed_in}, {id: b, effect: allow, " +
			host + "to: {role: r}}", "shadowed-rule b"},
		"order does not matter": {"{id: b, effect: allow, " + host +
			"to: {role: r}}, {id: a, effect: allow, to: anyone_signed_in}", "shadowed-rule b"},
		"allow all beside allow some": {"{id: a, effect: allow, " + host +
			"paths: [/x], to: anyone_signed_in}, {id: b, effect: allow, " + host + "to: {role: r}}", ""},
		"allow some of the same": {"{id: a, effect: allow, to: {role: [r, s]}}, {id: b, effect: allow, " + host +
			"to: {role: s}}", "shadowed-rule b"},
		"allow others": {"{id: a, effect: allow, to: {role: r}}, {id: b, effect: allow, " + host +
			"to: {role: s}}", ""},
		"allow by permission": {"{id: a, effect: allow, to: {permission: 'x:y'}}, {id: b, effect: allow, " +
			host + "to: {permission: 'x:y'}}", "shadowed-rule b"},
		"a condition covers nothing": {"{id: a, effect: allow, to: anyone_signed_in, when: 'request.method == \"GET\"'}, {id: b, effect: allow, " + host + "to: {role: r}}", ""},
		"a condition is covered": {"{id: a, effect: allow, to: anyone_signed_in}, {id: b, effect: allow, " +
			host + "to: {role: r}, when: 'request.method == \"GET\"'}", "shadowed-rule b"},
		"report covers nothing":         {"{id: a, effect: allow, to: anyone_signed_in, mode: report}, {id: b, effect: allow, " + host + "to: {role: r}}", ""},
		"a network covers nothing more": {"{id: a, effect: allow, to: anyone_signed_in, networks: [10.0.0.0/8]}, {id: b, effect: allow, " + host + "to: {role: r}}", ""},
		"a network covers part of it":   {"{id: a, effect: allow, to: anyone_signed_in, networks: [10.0.0.0/8]}, {id: b, effect: allow, " + host + "networks: [10.1.0.0/16], to: {role: r}}", "shadowed-rule b"},
		"GET covers HEAD":               {"{id: a, effect: allow, methods: [GET], to: anyone_signed_in}, {id: b, effect: allow, methods: [HEAD], to: {role: r}}", "shadowed-rule b"},
		"HEAD does not cover GET":       {"{id: a, effect: allow, methods: [HEAD], to: anyone_signed_in}, {id: b, effect: allow, methods: [GET], to: {role: r}}", ""},
		"below deny": {"{id: a, effect: deny, " + host + "paths: [/x/**]}, {id: b, effect: allow, " +
			host + "paths: [/x/y], to: {role: r}}", "shadowed-rule b"},
		"require below deny": {"{id: a, effect: deny, " + host + "}, {id: b, effect: require, " + host +
			"require: {mfa: true}}", "shadowed-rule b"},
		"below a deny of some": {"{id: a, effect: deny, to: {role: s}}, {id: b, effect: allow, " + host +
			"paths: [/x/y], to: {role: r}}", ""},
		"deny below deny": {"{id: a, effect: deny, paths: [/x/**]}, {id: b, effect: deny, " + host +
			"paths: ['/x/*/z'], to: {role: r}}", "shadowed-rule b"},
		"require the same of fewer requests": {"{id: a, effect: require, require: {mfa: true}}, {id: b, effect: require, " +
			host + "require: {mfa: true}}", "shadowed-rule b"},
		"require more of fewer requests": {"{id: a, effect: require, require: {mfa: true}}, {id: b, effect: require, " +
			host + "require: {mfa: true, max_age: 10m}}", ""},
		"require less of fewer requests": {"{id: a, effect: require, require: {mfa: true, max_age: 5m}}, {id: b, effect: require, " + host + "require: {mfa: true, max_age: 10m}}", "shadowed-rule b"},
		"require another network":        {"{id: a, effect: require, require: {networks: [10.0.0.0/8]}}, {id: b, effect: require, " + host + "require: {networks: [10.1.0.0/16]}}", ""},
		"require a wider network":        {"{id: a, effect: require, require: {networks: [10.1.0.0/16]}}, {id: b, effect: require, " + host + "require: {networks: [10.0.0.0/8]}}", "shadowed-rule b"},
		"require one of more": {"{id: a, effect: require, require: {role: r}}, {id: b, effect: require, " +
			host + "require: {role: [r, s]}}", "shadowed-rule b"},
		"require one of fewer": {"{id: a, effect: require, require: {role: [r, s]}}, {id: b, effect: require, " + host +
			"require: {role: r}}", ""},
		"public does not shadow require": {"{id: a, effect: public, " + host + "paths: [/x]}, {id: b, effect: require, " +
			host + "paths: [/x], require: {mfa: true}}", ""},
	} {
		if got := strings.Join(lintOf(t, "rules: ["+c.rules+"]\n", Context{}), ", "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestLintFindsWhatNothingUses(t *testing.T) {
	base := `roles:
  reader: { permissions: ["orders:read"] }
  writer: { inherits: [reader], permissions: ["orders:write"] }
networks:
  office: [10.0.0.0/8]
rules:
  - { id: read, effect: allow, hosts: [a.test], methods: [GET], networks: [office], to: { permission: "orders:read" } }
  - { id: write, effect: allow, hosts: [a.test, b.test], to: { permission: "orders:write" } }
`
	with := func(old, new string) string {
		if !strings.Contains(base, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(base, old, new, 1)
	}
	for name, c := range map[string]struct {
		text    string
		context Context
		want    string
	}{
		"sound":          {base, Context{}, ""},
		"an empty role":  {with("networks:", "  idle: {}\nnetworks:"), Context{}, "empty-role idle"},
		"of a Caddyfile": {with("networks:", "  idle: {}\nnetworks:"), Context{Roles: []string{"idle"}}, ""},
		"named in a condition": {with("networks:", "  idle: {}\nnetworks:") +
			"  - { id: w, effect: deny, when: '\"idle\" in user.roles' }\n", Context{}, ""},
		"a role of no use": {with("networks:", "  idle: { permissions: [\"prices:read\"] }\nnetworks:"), Context{},
			"unused-role idle, unused-permission idle"},
		"a permission of no use": {with(`["orders:write"]`, `["orders:write", "prices:read"]`), Context{},
			"unused-permission writer"},
		"a permission of no role": {with(`permission: "orders:write"`, `permission: "orders:wirte"`), Context{},
			"unused-permission writer, ungranted-permission write"},
		"a wildcard grants it": {with(`["orders:write"]`, `["orders:*"]`), Context{}, ""},
		"an area of no gateway": {with(`["orders:write"]`, `["orders:write", "truxe:usres:read"]`), Context{},
			"unknown-area writer"},
		"an area of the gateway": {with(`["orders:write"]`, `["orders:write", "truxe:users:*"]`), Context{}, ""},
		"a network of no use": {with("networks: [office]", "networks: [10.0.0.0/8]"), Context{},
			"unused-network office"},
		"a network in a condition":  {with("networks: [office]", `when: 'in_network(request.ip, "office")'`), Context{}, ""},
		"a host that is not served": {base, Context{Hosts: []string{"A.test:8443", "c.test"}}, "unknown-host write"},
		"a wildcard site":           {base, Context{Hosts: []string{"*.test"}}, ""},
		"hosts are not known":       {base, Context{Hosts: nil}, ""},
		"no site at all": {base, Context{Hosts: []string{}},
			"unknown-host read, unknown-host write, unknown-host write"},
		"not tested": {base, Context{Report: &Report{Untested: []string{"write"}}}, "untested-rule write"},
	} {
		if got := strings.Join(lintOf(t, c.text, c.context), ", "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What lint calls shadowed really never decides: without the rule every request has the same outcome.
func TestShadowedRulesChangeNoDecision(t *testing.T) {
	var shadowed int
	rapid.Check(t, func(t *rapid.T) {
		pick := func(name string, options ...string) string { return rapid.SampledFrom(options).Draw(t, name) }
		var rules []string
		for i := range rapid.IntRange(2, 4).Draw(t, "rules") {
			effect := pick("effect", "allow", "public", "deny", "require")
			r := fmt.Sprintf("{id: r%d, effect: %s%s%s%s%s", i, effect, pick("hosts", "", "", ", hosts: [a.test]"),
				pick("methods", "", "", ", methods: [GET]", ", methods: [HEAD]", ", methods: [POST, GET]"),
				pick("paths", "", "", ", paths: [/x]", ", paths: [/x/**]", ", paths: ['/*/y']", ", paths: [/x/y, /z]",
					", paths: [/**]"), pick("from", "", "", "", ", networks: [10.0.0.0/8]", ", networks: [10.1.0.0/16]"))
			people := pick("people", "{role: r}", "{role: [r, s]}", "{user: u}", "{permission: 'x:y'}")
			switch effect {
			case "allow":
				r += ", to: " + pick("to", "anyone_signed_in", people)
			case "deny":
				r += pick("to", "", ", to: "+people)
			case "require":
				r += ", require: " + pick("ask", "{mfa: true}", "{mfa: true, max_age: 10m}", "{max_age: 5m}", "{passkey: true}",
					"{networks: [10.0.0.0/8]}", "{networks: [10.1.0.0/16], mfa: true}", people)
			}
			rules = append(rules, r+"}")
		}
		doc, err := Parse(one("rules: [" + strings.Join(rules, ", ") + "]\n"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range Lint(doc, Context{}) {
			if f.ID != FindShadowed && f.ID != FindDuplicate {
				continue
			}
			shadowed++
			with, without := &policy.Set{}, &policy.Set{}
			var some []policy.Rule
			for _, r := range doc.Rules {
				if r.ID != f.Name {
					some = append(some, r.Rule)
				}
			}
			all, _ := doc.RulesFor(nil)
			if with, err = policy.Compile(all, doc.Roles); err != nil {
				t.Fatal(err)
			}
			if without, err = policy.Compile(some, doc.Roles); err != nil {
				t.Fatal(err)
			}
			for _, c := range everyCase(t) {
				if a, b := OutcomeOf(with.Decide(c.request, c.principal)), OutcomeOf(without.Decide(c.request,
					c.principal)); a != b {
					t.Fatalf("%s\n%s as %s: %s with it, %s without", f, c, c.Who, a, b)
				}
			}
		}
	})
	if shadowed < 5 {
		t.Errorf("only %d rules were found shadowed", shadowed)
	}
}

// everyCase are requests that tell the rules above apart.
var everyCase = func() func(t *rapid.T) []Case {
	var cases []Case
	return func(t *rapid.T) []Case {
		if cases != nil {
			return cases
		}
		var b strings.Builder
		b.WriteString("users:\n")
		who := []string{"anonymous"}
		for i, u := range []string{"{roles: [r]}", "{roles: [s], mfa: totp}", "{roles: [r, s], mfa: passkey, mfa_age: 7m}",
			"{roles: [q], mfa: totp, mfa_age: 1h}", "{login_age: 6m}", "{roles: [admin], mfa: passkey}"} {
			fmt.Fprintf(&b, "  u%d: %s\n", i, u)
			who = append(who, fmt.Sprintf("u%d", i))
		}
		b.WriteString("  u: {mfa: totp}\ntests:\n")
		who = append(who, "u")
		for _, host := range []string{"a.test", "b.test"} {
			for _, path := range []string{"/", "/x", "/x/", "/x/y", "/x/y/z", "/q/y", "/z", "/X/Y", "/x/%2e/y"} {
				for _, ip := range []string{"", "ip: 10.1.0.1, ", "ip: 10.2.0.1, ", "ip: 192.0.2.1, "} {
					fmt.Fprintf(&b, "  - {url: 'https://%s%s', %sexpect: {", host, path, ip)
					for i, m := range []string{"GET", "HEAD", "POST", "PUT"} {
						if i > 0 {
							b.WriteString(", ")
						}
						b.WriteString(m + ": {" + strings.Join(who, ": deny, ") + ": deny}")
					}
					b.WriteString("}}\n")
				}
			}
		}
		doc, err := Parse(one("rules: [{id: a, effect: deny}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		files, err := ParseTests([]Source{{Name: "a_test.yaml", Text: []byte(b.String())}}, doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range files[0].Cases {
			if !c.ambiguous {
				cases = append(cases, c)
			}
		}
		return cases
	}
}()

// 10,000 rules are linted while a reload waits, whatever they look like.
func TestLintOfManyRulesIsQuick(t *testing.T) {
	for name, c := range map[string]struct{ rule, want string }{
		"many hosts": {"  - {id: r%[1]d, effect: allow, hosts: [h%[2]d.test], paths: [/p%[1]d/**], to: {role: r%[2]d}}\n",
			""},
		"one host": {"  - {id: r%[1]d, effect: allow, hosts: [h.test], paths: [/p/p%[1]d], to: {role: r%[2]d}}\n",
			""},
		"stars":               {"  - {id: r%[1]d, effect: allow, hosts: [h.test], paths: ['/p/*/p%[1]d'], to: {role: r%[2]d}}\n", FindManyRules},
		"every host and path": {"  - {id: r%[1]d, effect: allow, to: {role: r%[1]d}}\n", FindManyRules},
	} {
		var b strings.Builder
		b.WriteString("rules:\n")
		for i := range 10_000 {
			fmt.Fprintf(&b, c.rule, i, i%100)
		}
		doc, err := Parse(one(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		var got []Finding
		timebound.CPU(t, name, 5*time.Second, func() { got = Lint(doc, Context{}) })
		if len(got) > 1 || (len(got) == 0) != (c.want == "") || len(got) == 1 && got[0].ID != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
