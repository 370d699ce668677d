package policyfile

import (
	"errors"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// conditionProblem reports an error in a condition at its place in the file.
func (r *reader) conditionProblem(n *yaml.Node, what string, err error) {
	p := (*policy.Problem)(nil)
	if !errors.As(err, &p) {
		r.fail(n, "when of %s: %v", what, err)
		return
	}
	r.problems.add(r.inside(n, p.At), "when of %s: %s", what, p.Message)
}

// inside finds the place in the file of a place in a text of it. Where a text is folded, its beginning is all that is
// known.
func (r *reader) inside(n *yaml.Node, in policy.Position) policy.Position {
	at := r.at(n)
	if in.Line == 0 || in.Column == 0 || n.Style&yaml.FoldedStyle != 0 {
		return at
	}
	if n.Style&yaml.LiteralStyle != 0 {
		at.Line += in.Line
		values := strings.Split(n.Value, "\n")
		if at.Line > len(r.lines) || in.Line > len(values) {
			return r.at(n)
		}
		at.Column = indent(r.lines[at.Line-1]) - indent(values[in.Line-1]) + in.Column
		return at
	}
	shift := in.Column - 1
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		shift++
	}
	if in.Line > 1 || at.Line > len(r.lines) || at.Column+shift > utf8.RuneCountInString(r.lines[at.Line-1]) {
		return at
	}
	at.Column += shift
	return at
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
