package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// row is one line of the table.
type row struct {
	id, what string
	tests    []string
	reason   string // "not yet: …", "not applicable because …", "partly: …", or empty
}

var (
	rowLine  = regexp.MustCompile(`^\| ([A-Z]{2}-[0-9]{2}) \| (.*?) \| (.*) \|$`)
	testName = regexp.MustCompile("^`((?:Test|Fuzz)[A-Za-z0-9_]*)`[ ,;]*")
)

const noTest = "not yet: no test names it"

// parseRow reads a line of the document; ok is false for lines that are no rows.
func parseRow(line string) (r row, ok bool) {
	m := rowLine.FindStringSubmatch(line)
	if m == nil {
		return row{}, false
	}
	r = row{id: m[1], what: m[2]}
	rest := m[3]
	for {
		t := testName.FindStringSubmatch(rest)
		if t == nil {
			break
		}
		r.tests = append(r.tests, t[1])
		rest = rest[len(t[0]):]
	}
	r.reason = rest
	return r, true
}

func (r row) String() string {
	cells := make([]string, len(r.tests))
	for i, name := range r.tests {
		cells[i] = "`" + name + "`"
	}
	cell := strings.Join(cells, " ")
	if r.reason != "" {
		if cell != "" {
			cell += "; "
		}
		cell += r.reason
	}
	return fmt.Sprintf("| %s | %s | %s |", r.id, r.what, cell)
}

// problem says why the row proves nothing; empty when it is in order. exists knows the tests of the tree, cited which
// of them name this id.
func (r row) problem(exists map[string]bool, cited []string) string {
	for _, name := range r.tests {
		if !exists[name] {
			return "names " + name + ", which does not exist"
		}
	}
	notYet := strings.HasPrefix(r.reason, "not yet: ")
	switch {
	case notYet && len(cited) > 0:
		return "says not yet, but " + cited[0] + " names it: run `make requirements`"
	case len(r.tests) > 0:
		if r.reason != "" && !strings.HasPrefix(r.reason, "partly: ") {
			return "has tests and also says: " + r.reason
		}
	case notYet && len(r.reason) > len("not yet: "), strings.HasPrefix(r.reason, "not applicable because ") &&
		len(r.reason) > len("not applicable because "):
	default:
		return "has neither a test nor a reason"
	}
	return ""
}

// rewrite puts the tests that cite each id into the document. Hand-written reasons stay, but for a "not yet" that a
// test has overtaken.
func rewrite(doc string, cites map[string][]string) string {
	lines := strings.Split(doc, "\n")
	for i, line := range lines {
		r, ok := parseRow(line)
		if !ok {
			continue
		}
		r.tests = slices.Compact(slices.Sorted(slices.Values(cites[r.id])))
		switch {
		case len(r.tests) > 0 && strings.HasPrefix(r.reason, "not yet"):
			r.reason = ""
		case len(r.tests) == 0 && (r.reason == "" || strings.HasPrefix(r.reason, "partly")):
			r.reason = noTest
		}
		lines[i] = r.String()
	}
	return strings.Join(lines, "\n")
}
