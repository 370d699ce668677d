package policy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// spread returns n rules such as a large installation has: hosts with areas, each with rules by path, method and role.
func spread(n int) []Rule {
	methods := [][]string{nil, {"GET"}, {"POST", "PUT", "PATCH", "DELETE"}, {"GET", "POST"}}
	var rules []Rule
	for i := range n {
		r := Rule{ID: fmt.Sprintf("r%05d", i), Effect: EffectAllow, FromFile: true, Methods: methods[i%4],
			Roles: []string{fmt.Sprintf("role%d", i%50), "staff"},
			Hosts: []string{fmt.Sprintf("app%d.test", i/40)}}
		area := fmt.Sprintf("/area%d", i%40)
		switch i % 8 {
		case 0:
			r.Globs = []string{area + "/**"}
		case 1:
			r.Globs = []string{area + "/*/lines", area + "/*/lines/*"}
		case 2:
			r.Globs = []string{area + "/reports/*/pdf"}
		case 3:
			r.Effect, r.Roles, r.Assurance = EffectRequire, nil, identity.Assurance{MFA: true}
			r.Globs = []string{area + "/admin/**"}
		case 4:
			r.Effect, r.Roles = EffectPublic, nil
			r.Globs = []string{area + "/static/**"}
		case 5:
			r.Effect, r.Roles = EffectDeny, []string{"contractor"}
			r.Globs = []string{area + "/payroll/**"}
		case 6:
			r.Globs = []string{area}
		case 7:
			r.Globs = []string{"/**"}
		}
		rules = append(rules, r)
	}
	return rules
}

// crowded returns n rules for one host, most of whose paths begin with any segment.
func crowded(n int) []Rule {
	var rules []Rule
	for i := range n {
		r := Rule{ID: fmt.Sprintf("r%05d", i), Effect: EffectAllow, FromFile: true, Roles: []string{"staff"},
			Hosts: []string{"app0.test"}}
		switch i % 4 {
		case 0:
			r.Globs = []string{fmt.Sprintf("/*/area%d/**", i)}
		case 1:
			r.Globs = []string{fmt.Sprintf("/*/*/item%d", i)}
		case 2:
			r.Effect, r.Globs = EffectDeny, []string{fmt.Sprintf("/*/*/Secret%d/**", i)}
			r.Roles = []string{"contractor"}
		case 3:
			r.Globs = []string{fmt.Sprintf("/area%d/*/x", i)}
		}
		rules = append(rules, r)
	}
	return rules
}

func benchmarkDecide(b *testing.B, rules []Rule, paths ...string) {
	s := set(b, rules...)
	p := &identity.Principal{Username: "al", Roles: []string{"viewer", "staff"}, Proof: identity.Proof{AuthTime: noon,
		MFATime: noon}}
	for _, path := range paths {
		b.Run(strings.ReplaceAll(strings.Trim(path, "/"), "/", "."), func(b *testing.B) {
			q := Request{Host: "app0.test", Method: "GET", Path: path, Now: noon}
			b.ReportAllocs()
			for b.Loop() {
				s.Decide(q, p)
			}
		})
	}
}

var benchPaths = []string{"/area0/7/lines", "/area1/7/lines", "/area4/static/app.js", "/area3/admin/keys",
	"/area5/payroll/2024", "/nowhere/at/all"}

func BenchmarkDecideWith10Rules(b *testing.B) { benchmarkDecide(b, spread(10), benchPaths...) }

func BenchmarkDecideWith10000Rules(b *testing.B) { benchmarkDecide(b, spread(10_000), benchPaths...) }

func BenchmarkDecideWith10000CrowdedRules(b *testing.B) {
	benchmarkDecide(b, crowded(10_000), "/a/area400/7", "/area3/7/x", "/a/b/item401", "/a/b/secret402/x",
		"/nowhere/at/all/really/deep/down")
}

func BenchmarkCompile10000Rules(b *testing.B) {
	rules := spread(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(rules, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// Issue 4: a warm decision allocates nothing, however many rules there are.
func TestDecidingAmongManyRulesAllocatesNothing(t *testing.T) {
	p := &identity.Principal{Username: "al", Roles: []string{"viewer", "staff"}, Proof: identity.Proof{AuthTime: noon,
		MFATime: noon}}
	for name, rules := range map[string][]Rule{"10": spread(10), "10,000": spread(10_000),
		"10,000 on one host": crowded(10_000)} {
		s := set(t, rules...)
		for _, path := range append([]string{"/a/b/Secret402/x"}, benchPaths...) {
			q := Request{Host: "app0.test", Method: "GET", Path: path, Now: noon}
			for _, who := range []*identity.Principal{nil, p} {
				if n := testing.AllocsPerRun(20, func() { s.Decide(q, who) }); n > 0 {
					t.Errorf("%s rules, %s: %v allocations", name, path, n)
				}
			}
		}
	}
}

// Issue 4: the index looks at a handful of rules. Counted, so that a busy machine does not matter.
func TestTheIndexLooksAtFewRules(t *testing.T) {
	for name, rules := range map[string][]Rule{"spread": spread(10_000), "crowded": crowded(10_000)} {
		s := set(t, rules...)
		for _, path := range append([]string{"/a/area400/7", "/a/b/secret402/x"}, benchPaths...) {
			if found := s.index.find(nil, "app0.test", path, methodBit("GET")); len(found) > 12 {
				t.Errorf("%s, %s: %d rules are compared", name, path, len(found))
			}
		}
	}
}

// The index changes no decision: with it and without, over random rules and nasty paths, decisions are the same.
func TestTheIndexChangesNoDecision(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	segment := func() string {
		return pick("a", "A", "b", "k", "K", "\u212a", "straße", "STRASSE", "ſ", "s", "é", "É", "Σ", "ς", "σ")
	}
	for range 300 {
		var rules []Rule
		for i := range 40 {
			r := Rule{ID: fmt.Sprint(i), Effect: Effect(1 + rnd.IntN(4)), FromFile: true}
			if r.Effect != EffectPublic {
				r.Roles = []string{pick("member", "editor")}
			}
			if rnd.IntN(2) == 0 {
				r.Methods = []string{pick("GET", "HEAD", "POST", "PURGE")}
			}
			for range rnd.IntN(3) {
				r.Hosts = append(r.Hosts, pick("app.test", "b.test"))
			}
			for range rnd.IntN(3) {
				glob := ""
				for range 1 + rnd.IntN(3) {
					glob += "/" + pick("*", segment(), segment())
				}
				r.Globs = append(r.Globs, glob+pick("", "", "/", "/**"))
			}
			if rnd.IntN(6) == 0 {
				r.Paths = append(r.Paths, pick("*", "/", "/*", "/a/*", "/k"))
			}
			rules = append(rules, r)
		}
		indexed, err := Compile(rules, nil)
		if err != nil {
			t.Fatal(err)
		}
		plain := *indexed
		plain.index = nil
		if indexed.index == nil {
			t.Fatal("there is no index to test")
		}
		for range 60 {
			path := ""
			for range rnd.IntN(5) {
				path += "/" + pick("", segment(), segment(), segment())
			}
			path += pick("", "/", "//")
			if path == "" {
				path = pick("*", "", "a")
			}
			r := Request{Host: pick("app.test", "b.test", "c.test"), Method: pick("GET", "HEAD", "POST", "PURGE", "OTHER"),
				Path: path}
			for _, p := range []*identity.Principal{nil, member, editor} {
				if a, b := indexed.Decide(r, p), plain.Decide(r, p); a != b {
					t.Fatalf("%+v: %+v with the index, %+v without", r, a, b)
				}
			}
		}
	}
}

// Strings that compare equal without case have one hash, for every letter of Unicode.
func TestEveryFoldOfALetterHasOneHash(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if f := unicode.SimpleFold(r); f != r {
			a, b := "x"+string(r)+"y", "X"+string(f)+"Y"
			if !strings.EqualFold(a, b) || foldedHash(a) != foldedHash(b) {
				t.Errorf("%q and %q", a, b)
			}
		}
	}
	if foldedHash("ab") == foldedHash("ba") || foldedHash("é") == foldedHash("è") {
		t.Error("control: different words have one hash")
	}
}

// AZ-02 a slash at the end of a glob with a wildcard, and letters whose folds differ in length, hide nothing from a
// rule that refuses.
func TestSlashesAndLongFoldsHideNothing(t *testing.T) {
	for glob, paths := range map[string][]string{"/u/*/": {"/u/7/", "/u/7", "/U/7/"},
		"/kernel/**": {"/\u212aernel/x", "/kernel", "/\u212aERNEL"}, "/a/straſe/**": {"/a/STRASE/x", "/A/strase"},
		"/\u212a/**": {"/k/x", "/K"}} {
		s := set(t, Rule{ID: "all", Effect: EffectAllow}, Rule{ID: "d", Effect: EffectDeny, Globs: []string{glob}})
		for _, path := range paths {
			if judge(s, "GET", path, member).Allow {
				t.Errorf("%s does not refuse %q", glob, path)
			}
		}
		for _, path := range []string{"/u/7/8", "/kernels/x", "/a/strasse/x", "/kk/x"} {
			if !judge(s, "GET", path, member).Allow {
				t.Errorf("control: %s refuses %q", glob, path)
			}
		}
	}
}

// A rule with very many hosts and paths is found without a tree of their product, and deep paths without deep trees.
func TestLargeRulesStayWithinBounds(t *testing.T) {
	wide := Rule{ID: "wide", Effect: EffectDeny}
	for i := range 300 {
		wide.Hosts = append(wide.Hosts, fmt.Sprintf("h%d.test", i))
		wide.Globs = append(wide.Globs, fmt.Sprintf("/p%d", i))
	}
	deep := "/" + strings.Repeat("d/", 60)
	rules := append(spread(40), wide, Rule{ID: "deep", Effect: EffectDeny, Globs: []string{deep + "end/**"}},
		Rule{ID: "all", Effect: EffectAllow})
	s := set(t, rules...)
	for _, c := range []struct{ host, path, rule string }{{"h299.test", "/p299", "wide"}, {"h0.test", "/p300", "all"},
		{"x.test", deep + "end/x/y", "deep"}, {"x.test", deep + "other", "all"}, {"x.test", deep, "all"}} {
		if d := s.Decide(Request{Host: c.host, Method: "GET", Path: c.path}, member); d.Rule != c.rule {
			t.Errorf("%s%.20s: %+v", c.host, c.path, d)
		}
	}
}
