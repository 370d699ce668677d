package policyfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// maxProblems is how many mistakes are told at once.
const maxProblems = 50

// Problems are mistakes in policy files, all that were found, by place.
type Problems []*policy.Problem

// Error lists the first fifty problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, 0, len(p))
	for i, one := range p {
		if i == maxProblems {
			lines = append(lines, fmt.Sprintf("and %d more", len(p)-i))
			break
		}
		lines = append(lines, one.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find each.
func (p Problems) Unwrap() []error {
	all := make([]error, len(p))
	for i := range p {
		all[i] = p[i]
	}
	return all
}

func (p *Problems) add(at policy.Position, format string, args ...any) {
	*p = append(*p, &policy.Problem{At: at, Message: fmt.Sprintf(format, args...)})
}

// err sorts them by place; nil when there are none. Two readings of one mistake count once.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b *policy.Problem) int { return comparePositions(a.At, b.At) })
	return slices.CompactFunc(p, func(a, b *policy.Problem) bool { return *a == *b })
}

func comparePositions(a, b policy.Position) int {
	if c := strings.Compare(a.File, b.File); c != 0 {
		return c
	}
	if a.Line != b.Line {
		return a.Line - b.Line
	}
	return a.Column - b.Column
}

func at(file string) policy.Position { return policy.Position{File: file} }
