package policyfile

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// WriteText writes the outcome as `go test` would: a line a file that passed, the reasons of what failed.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	width := 0
	for _, f := range r.Files {
		width = max(width, len(f.File))
		for _, c := range f.Failed {
			width = max(width, len(c.Place))
		}
	}
	for _, f := range r.Files {
		if len(f.Failed) == 0 {
			fmt.Fprintf(&b, "ok    %-*s      %s\n", width, f.File, plural(f.Cases, "case"))
		}
		for _, c := range f.Failed {
			fmt.Fprintf(&b, "FAIL  %-*s      %s: want %s, got %s%s\n", width, c.Place, c.Case, c.Want, c.Got, inBrackets(c.Code))
			for _, why := range c.Why {
				fmt.Fprintf(&b, "        %s\n", why)
			}
		}
	}
	if len(r.Untested) > 0 {
		fmt.Fprintf(&b, "rules without a test: %s\n", strings.Join(r.Untested, ", "))
	}
	fmt.Fprintf(&b, "%s, %d failed\n", plural(r.Cases, "case"), r.Failed)
	_, err := io.WriteString(w, b.String())
	return err
}

func inBrackets(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the outcome as CI servers read it.
func (r *Report) WriteJUnit(w io.Writer) error {
	out := junitSuites{Tests: r.Cases, Failures: r.Failed}
	for _, f := range r.Files {
		suite := junitSuite{Name: f.File, Tests: f.Cases, Failures: len(f.Failed)}
		failed := map[string]CaseResult{}
		for _, c := range f.Failed {
			failed[c.name()+c.Place] = c
		}
		for _, c := range f.cases {
			one := junitCase{Class: f.File, Name: c.name()}
			if got, ok := failed[c.name()+c.place()]; ok {
				one.Failure = &junitFailure{Message: fmt.Sprintf("want %s, got %s", got.Want, got.Got),
					Text: got.Place + "\n" + strings.Join(got.Why, "\n")}
			}
			suite.Cases = append(suite.Cases, one)
		}
		out.Suites = append(out.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
