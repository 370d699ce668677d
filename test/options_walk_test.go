package test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// optionRow shows that one option does something: what a started gateway says, sends or logs with the option differs
// from what it does without it, or with its opposite.
type optionRow struct {
	id            string
	with, without func() string
	want          string // matches what is seen with the option, and nothing that is seen without it
	gone          string // instead of want: matches what is seen without the option, and nothing that is seen with it
}

// ED-12: no option does nothing. Every option of docs/reference/caddyfile.md has a row here, and the row's words are
// true of a started gateway.
//
// A new option fails this test until it has a row. To add one: document it in a table of the reference whose first
// column is headed "option" (optionsOf says how that column is read), then append a row to the function of the gateway
// that fits, siteOptions for those of the directive (add a host to its plot), setOptions for most global ones,
// strictOptions for those that change how all users sign in, policyOptions and nodeOptions for the rest. `with` looks
// at a host or gateway that has the option, `without` at one that does not, and `want` is a pattern of what only the
// first may say. Keep to the gateways that are there: each new one costs every run of the tests seconds.
func TestEveryOptionOfTheReferenceDoesSomething(t *testing.T) {
	sites := siteGateway(t)
	rows := slices.Concat(siteOptions(sites), setOptions(t, sites), strictOptions(t, sites), policyOptions(t, sites),
		nodeOptions(t, sites))
	documented := referenceOptions(t)
	seen := map[string]bool{}
	for _, row := range rows {
		seen[row.id] = true
		pattern, with, without := row.want, row.with(), row.without()
		if row.gone != "" {
			pattern, with, without = row.gone, without, with
		}
		matches := regexp.MustCompile("(?s)" + pattern)
		if !matches.MatchString(with) {
			t.Errorf("%s: %s does not match what is seen:\n%.1500s", row.id, pattern, with)
		}
		if matches.MatchString(without) {
			t.Errorf("%s: %s also matches what is seen on the other side:\n%.1500s", row.id, pattern, without)
		}
	}
	for _, id := range documented {
		if !seen[id] {
			t.Errorf("the option %q is documented and no row shows that it does anything", id)
		}
	}
}

// look sends one request and gives the answer, and what the upstream received of it.
func (v *visitor) look(method, path, body string, headers ...[]string) string {
	v.s.t.Helper()
	v.s.up.Forget()
	v.outage = true
	a := v.do(method, path, body, headers...)
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", a.status)
	_ = a.header.Write(&b)
	b.WriteString(a.body)
	for _, seen := range v.s.up.Seen() {
		b.WriteString("\nUPSTREAM\n" + seen.Raw)
	}
	return b.String()
}
