// Package nearest finds the word that a misspelt one most likely means.
package nearest

// Word returns the option closest to got, or "" when none is close enough to be a slip of the finger
// (more than a third of the letters differ).
func Word(got string, options []string) string {
	best, bestDistance := "", len(got)/3+1
	for _, option := range options {
		if d := distance(got, option); d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = option, d
		}
	}
	return best
}

// Hint is `; did you mean "word"?`, or "" when nothing is close.
func Hint(got string, options []string) string {
	if w := Word(got, options); w != "" {
		return `; did you mean "` + w + `"?`
	}
	return ""
}

// distance counts the edits (insert, delete, replace, swap of neighbours) between a and b. Words over 64 bytes are
// never close.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 1 << 20
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
