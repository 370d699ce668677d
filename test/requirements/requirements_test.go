package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryRequirementIsProvenOrExplained(t *testing.T) {
	root := filepath.Join("..", "..")
	doc, err := os.ReadFile(filepath.Join(root, document))
	if err != nil {
		t.Fatal(err)
	}
	ids := requirementIDs()
	if len(ids) != 203 {
		t.Fatalf("%d ids, want 203", len(ids))
	}
	exists, cites, err := findTests(root, ids)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for line := range strings.Lines(string(doc)) {
		r, ok := parseRow(strings.TrimSuffix(line, "\n"))
		if !ok {
			continue
		}
		if !ids[r.id] || rows[r.id] {
			t.Errorf("row %s is unknown or there twice", r.id)
		}
		rows[r.id] = true
		if why := r.problem(exists, cites[r.id]); why != "" {
			t.Errorf("row %s %s", r.id, why)
		}
	}
	for id := range ids {
		if !rows[id] {
			t.Errorf("%s has no row", id)
		}
	}
}

func TestRowThatProvesNothingIsFound(t *testing.T) {
	exists := map[string]bool{"TestLongPassword": true}
	for cell, want := range map[string]string{
		"`TestLongPassword`":                         "",
		"`TestLongPassword`; partly: not over HTTP":  "",
		"not yet: comes later":                       "",
		"not applicable because we have none":        "",
		"`TestGone`":                                 "does not exist",
		"`TestLongPassword` `TestGone`":              "does not exist",
		"`TestLongPassword`; not applicable because": "also says",
		"not yet: ":                                  "neither",
		"fine":                                       "neither",
		"":                                           "neither",
	} {
		r, ok := parseRow("| PW-01 | length | " + cell + " |")
		if !ok {
			t.Fatalf("%q is no row", cell)
		}
		if got := r.problem(exists, nil); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
	}
	r, _ := parseRow("| PW-01 | length | not yet: comes later |")
	if r.problem(exists, []string{"TestLongPassword"}) == "" {
		t.Error("a row may say not yet although a test names it")
	}
}

func TestRewriteTakesTestsFromCommentsAndKeepsReasons(t *testing.T) {
	dir := t.TempDir()
	source := "package x\n\n// PW-01 and LK-02: short ones are refused.\nfunc TestShort(t *testing.T) {}\n\n// PW-01 bytes\nfunc FuzzShort(f *testing.F) {}\n\n" +
		"// XX-99 is unknown\nfunc TestOther(t *testing.T) {}\n"
	if err := os.WriteFile(filepath.Join(dir, "x_test.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	exists, cites, err := findTests(dir, map[string]bool{"PW-01": true, "LK-02": true})
	if err != nil || len(exists) != 3 || len(cites) != 2 {
		t.Fatalf("%v %v %v", exists, cites, err)
	}
	before := "text\n| PW-01 | a | not yet: soon |\n| LK-02 | b | `TestOld`; partly: one node |\n| PW-02 | c | not yet: soon |\n| PW-03 | d | `TestOld` |\n| PW-04 | e | not applicable because no |\n"
	want := "text\n| PW-01 | a | `FuzzShort` `TestShort` |\n| LK-02 | b | `TestShort`; partly: one node |\n| PW-02 | c | not yet: soon |\n| PW-03 | d | " + noTest + " |\n| PW-04 | e | not applicable because no |\n"
	if got := rewrite(before, cites); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
