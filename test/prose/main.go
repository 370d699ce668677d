// Command prose reports wording that this project avoids, in comments, messages and documents, and lines of Go that are
// too long: one finding a line, then how many there are of each kind. Its test keeps the tree free of them; rules.go
// says what to write instead. Run it from the root of the repository; arguments limit it to files whose path begins
// with one of them.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	found, err := checkTree(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(1)
	}
	count := map[string]int{}
	for _, f := range found {
		if below(f.file, os.Args[1:]) {
			fmt.Println(f)
			count[f.rule.kind]++
		}
	}
	for _, r := range append(slices.Clone(rules), tooLong) {
		if n := count[r.kind]; n > 0 {
			fmt.Printf("%5d %s\n", n, r.kind)
		}
	}
}

// below reports whether a file is below one of the paths; without paths every file is.
func below(file string, paths []string) bool {
	return len(paths) == 0 || slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(file, p) })
}
