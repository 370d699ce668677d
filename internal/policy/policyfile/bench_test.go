package policyfile

import (
	"fmt"
	"strings"
	"testing"
)

// manyRules is a large set as companies have it: a hundred hosts, fifty roles.
func manyRules(n int) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range n {
		fmt.Fprintf(&b,
			"  - {id: r%d, effect: allow, hosts: [h%d.test], methods: [GET, POST], paths: [/p%d/**], to: {role: r%d}}\n", i,
			i%100,
			i, i%50)
	}
	return b.String()
}

func BenchmarkParse10000Rules(b *testing.B) {
	text := manyRules(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(one(text)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLint10000Rules(b *testing.B) {
	doc, err := Parse(one(manyRules(10_000)))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Lint(doc, Context{Hosts: []string{"*.test"}})
	}
}

func BenchmarkTest1000CasesOf10000Rules(b *testing.B) {
	doc, err := Parse(one(manyRules(10_000)))
	if err != nil {
		b.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("users: {eva: {roles: [r7]}}\ntests:\n")
	for i := range 500 {
		fmt.Fprintf(&text, "  - {url: 'https://h%d.test/p%d/x', expect: {GET: {anonymous: login, eva: deny}}}\n", i%100, i)
	}
	tests, err := ParseTests([]Source{{Name: "a_test.yaml", Text: []byte(text.String())}}, doc)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := RunTests(doc, tests); err != nil {
			b.Fatal(err)
		}
	}
}
