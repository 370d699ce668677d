package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The wording that this project avoids is in no comment, message, document or name, and no line of Go is too long.
// `go run ./test/prose` lists all findings.
func TestProse(t *testing.T) {
	found, err := checkTree("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// Each rule finds its bad example and leaves the good one alone; so does every other rule.
func TestRulesFindTheirExamples(t *testing.T) {
	for _, r := range rules {
		in := comment
		if r.in&name != 0 {
			in = name
		}
		holds := func(s string) bool {
			for _, f := range check("example", []text{{in, 1, s}}) {
				if f.rule.kind == r.kind {
					return true
				}
			}
			return false
		}
		if !holds(r.bad) {
			t.Errorf("%s does not find %q", r.kind, r.bad)
		}
		if in == comment && !holds(strings.ReplaceAll(r.bad, " ", "\n")) {
			t.Errorf("%s does not find %q over several lines", r.kind, r.bad)
		}
		if found := check("example", []text{{in, 1, r.good}}); len(found) > 0 {
			t.Errorf("the good example of %s: %v", r.kind, found[0])
		}
	}
}

// A line may have 120 columns; a long string stays whole, and raw strings are other languages.
func TestLongLinesAreFound(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("x", 121)
	source := "package a\n\n// " + long + "\n\nvar b = \"" + long + "\"\n\nvar c = `\n" + long + "\n`\n\nvar " + long +
		" int\n"
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := longLines(dir, "a.go")
	if err != nil || len(found) != 2 || found[0].line != 3 || found[1].line != 11 {
		t.Errorf("%v %v, want lines 3 and 11", found, err)
	}
}

// Comments, strings and names of Go, paragraphs of Markdown and comments of scripts are read; code is not.
func TestReadersFindProse(t *testing.T) {
	for _, c := range []struct{ file, content, want string }{
		{
			"a.go",
			"// Package a has `nobody`\n// in it.\npackage a\n\nfunc heard(x int) string { return \"a b\" + \"c\" } // behind\n",
			"comment 1 Package a has `…`|in it.;comment 5 behind;name 5 heard;name 5 x;message 5 a b",
		},
		{"a.md", "# Title\n\nOne\ntwo.\n\n```sh\nls\n```\n", "document 1 # Title;document 3 One|two."},
		{"a.html", "<p class=a>Hello {{.Name}}</p>\n", "document 1 Hello "},
		{"a.yml", "a: b # why\n\n# one\n# two\n", "comment 1 why;comment 3 one|two"},
		{"a.sql", "SELECT 1 -- why\n", "comment 1 why"},
	} {
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		texts, err := readers[filepath.Ext(path)](path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		kinds := map[place]string{comment: "comment", message: "message", document: "document", name: "name"}
		for _, x := range texts {
			got = append(got, fmt.Sprintf("%s %d %s", kinds[x.place], x.line, strings.ReplaceAll(x.words, "\n", "|")))
		}
		if all := strings.Join(got, ";"); all != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.file, all, c.want)
		}
	}
}
