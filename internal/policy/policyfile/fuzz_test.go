package policyfile

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// growth are texts whose cost is far above their length in a parser that follows references or recurses.
func growth() map[string]string {
	laughs := "a0: &a0 [x]\n"
	for i := range 30 {
		n, m := string(rune('a'+i%26)), string(rune('a'+(i+1)%26))
		laughs += m + "1: &" + m + "1 [*" + n + "0, *" + n + "0, *" + n + "0, *" + n + "0]\n"
	}
	return map[string]string{
		"billion laughs":  laughs,
		"brackets":        strings.Repeat("[", 50_000),
		"braces":          strings.Repeat("{a: ", 50_000),
		"dashes":          strings.Repeat("- ", 50_000),
		"question marks":  strings.Repeat("? ", 50_000),
		"rules of braces": "rules:\n" + strings.Repeat("  - {}\n", 30_000),
		"one long key":    strings.Repeat("k", 1<<20) + ": 1\n",
		"one long id":     "rules: [{id: " + strings.Repeat("k", 1<<20) + "}]\n",
		"comments":        strings.Repeat("# x\n", 50_000) + "rules: [{id: a, effect: deny}]\n",
		"many roles":      "roles:\n" + manyRoles(5000),
		"a chain":         "roles:\n" + chain(3000),
		"slips": "roles:\n" + manyRoles(900) + "rules:\n" +
			strings.Repeat("  - {id: a, effect: deny, to: {role: [nobody1, nobody2, nobody3, nobody4]}}\n", 20_000),
		"a lattice": "roles:\n" + lattice(40),
	}
}

func manyRoles(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("  r" + strings.Repeat("x", i%40) + time.Duration(i).String() + ": {inherits: [unknown" +
			time.Duration(i).String() + "]}\n")
	}
	return b.String()
}

func chain(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("  r" + time.Duration(i).String() + ": {inherits: [r" + time.Duration(i+1).String() + "]}\n")
	}
	return b.String() + "  r" + time.Duration(n).String() + ": {}\n"
}

// lattice: each role inherits both of the next level, so there are 2^n ways to the bottom.
func lattice(n int) string {
	var b strings.Builder
	for i := range n {
		next := time.Duration(i + 1).String()
		for _, side := range []string{"a", "b"} {
			b.WriteString("  " + side + time.Duration(i).String() + ": {inherits: [a" + next + ", b" + next + "]}\n")
		}
	}
	end := time.Duration(n).String()
	return b.String() + "  a" + end + ": {permissions: [\"x:y\"]}\n  b" + end + ": {}\n"
}

// A file that is made to be dear to read costs about what its length does.
func TestNoPolicyFileIsDearToRead(t *testing.T) {
	for name, text := range growth() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var err error
		timebound.CPU(t, name, 10*time.Second, func() { _, err = Parse(one(text)) })
		runtime.ReadMemStats(&after)
		if after.TotalAlloc-before.TotalAlloc > 1<<30 {
			t.Errorf("%s: %d MiB for %d KiB", name, (after.TotalAlloc-before.TotalAlloc)>>20, len(text)>>10)
		}
		if err != nil && len(err.Error()) > 64<<10 {
			t.Errorf("%s: %d bytes of error", name, len(err.Error()))
		}
	}
}

// FuzzPolicyFile: no panic, errors with a place, and what is taken compiles and is taken again.
func FuzzPolicyFile(f *testing.F) {
	f.Add(contract)
	for _, text := range growth() {
		if len(text) < 4096 {
			f.Add(text)
		}
	}
	f.Add("roles: {a: {inherits: [a]}}\nrules: [{id: a, effect: public, hosts: ['[::1]'], paths: ['/*/x/**'], networks: [a]}]\n")
	f.Add("networks: {a: ['::/0', 10.0.0.1]}\nrules: [{id: a, effect: require, require: {networks: [a], max_age: 1d2h, role: [x, y]}, mode: report}]\n")
	f.Add("rules:\n- ? [a]\n  : b\n- &x {<<: *x}\n")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := Parse(one(text))
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("%q: %T", text, err)
			}
			for _, p := range problems {
				if p.At.File == "" || p.Message == "" || len(p.Message) > 16<<10 {
					t.Fatalf("%q: %+v", text, p)
				}
			}
			return
		}
		rules, err := doc.RulesFor(nil)
		if err != nil || len(rules) != len(doc.Rules) {
			t.Fatal(err)
		}
		if _, err := policy.Compile(rules, doc.Roles); err != nil {
			t.Fatalf("%q is taken and does not compile: %v", text, err)
		}
	})
}
