package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// finding is a rule that holds for a text.
type finding struct {
	file  string
	line  int
	rule  rule
	match string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %q; write: %s", f.file, f.line, f.rule.kind, f.match, f.rule.instead)
}

// check returns what the rules find in the texts of one file.
func check(file string, texts []text) []finding {
	var found []finding
	for _, t := range texts {
		flat := strings.ReplaceAll(t.words, "\n", " ")
		for _, r := range rules {
			if r.in&t.place == 0 {
				continue
			}
			for _, m := range r.pattern.FindAllStringIndex(flat, -1) {
				if r.except != nil && r.except.MatchString(flat[m[0]:m[1]]) {
					continue
				}
				line := t.line + strings.Count(t.words[:m[0]], "\n")
				found = append(found, finding{file, line, r, strings.TrimSpace(flat[m[0]:m[1]])})
			}
		}
	}
	return found
}

// exempt are files whose words are not ours, or that quote what the rules forbid.
var exempt = []string{"LICENSE", "NOTICE", "test/prose/"}

// checkTree checks every file of the repository that git tracks.
func checkTree(root string) ([]finding, error) {
	list := exec.Command("git", "ls-files")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var found []finding
	for _, file := range strings.Fields(string(out)) {
		read, ok := readers[filepath.Ext(file)]
		if filepath.Base(filepath.Dir(file)) == "scripts" || filepath.Base(file) == "Makefile" {
			read, ok = readHashes, true
		}
		if !ok || below(file, exempt) || strings.Contains(file, "/testdata/") {
			continue
		}
		texts, err := read(filepath.Join(root, file))
		if err != nil {
			return nil, err
		}
		found = append(found, check(file, texts)...)
		if filepath.Ext(file) == ".go" {
			long, err := longLines(root, file)
			if err != nil {
				return nil, err
			}
			found = append(found, long...)
		}
	}
	return found, nil
}
