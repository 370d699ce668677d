package main

import (
	"go/scanner"
	"go/token"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxColumns is how long a line of Go may be: two files fit side by side. A tab counts as one column, and so does the
// space with which gofmt aligns.
const maxColumns = 120

// longString is from how many columns on a string excuses its line: messages stay in one piece, so that they can be
// searched for.
const longString = 50

var aligned = regexp.MustCompile(`(\S)  +`)

// tooLong is what a long line is reported as.
var tooLong = rule{kind: "long line", instead: "at most 120 columns; a long string may stay whole"}

// longLines returns the lines of a file that are too long. Lines within raw strings are other languages and may be
// longer.
func longLines(root, file string) ([]finding, error) {
	src, err := os.ReadFile(root + "/" + file)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	f := set.AddFile(file, -1, len(src))
	var s scanner.Scanner
	s.Init(f, src, nil, scanner.ScanComments)
	excused := map[int]bool{}
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.STRING && (utf8.RuneCountInString(lit) >= longString || strings.Contains(lit, "\n")) {
			first := f.Line(pos)
			for n := range 1 + strings.Count(lit, "\n") {
				excused[first+n] = true
			}
		}
	}
	var found []finding
	for n, line := range strings.Split(string(src), "\n") {
		if width := utf8.RuneCountInString(aligned.ReplaceAllString(line, "$1 ")); width > maxColumns && !excused[n+1] {
			found = append(found, finding{file, n + 1, tooLong, line[len(line)-20:]})
		}
	}
	return found, nil
}
