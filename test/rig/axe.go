package rig

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// AxeFinding is one accessibility rule the page breaks.
type AxeFinding struct {
	ID     string
	Impact string // "minor", "moderate", "serious" or "critical"
	Help   string
	Nodes  []struct {
		HTML   string
		Target []any
	}
}

// Axe runs axe-core (WCAG 2.0 to 2.2, A and AA, and best practices) on the page and gives what it finds. The page's own
// CSP and a switched-off JavaScript do not stand in its way.
func (b *Chromium) Axe() []AxeFinding {
	b.t.Helper()
	source, err := os.ReadFile(axeFile())
	if err != nil {
		b.t.Fatalf("axe-core is missing; scripts/install-test-deps fetches it: %v", err)
	}
	const run = `axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]})
		.then(r => JSON.stringify(r.violations))`
	if b.options.NoJavaScript { // the page's own scripts have missed their chance and stay silent
		if err := b.javaScript(true); err != nil {
			b.t.Fatalf("let axe-core run: %v", err)
		}
		defer func() { _ = b.javaScript(false) }()
	}
	if !Eval[bool](b, "'axe' in window") {
		Eval[bool](b, string(source)+";true")
	}
	answer := Eval[string](b, run)
	var found []AxeFinding
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		b.t.Fatalf("read axe-core's answer: %v", err)
	}
	return found
}

// Serious keeps the findings that block people: impact serious or critical.
func Serious(findings []AxeFinding) []AxeFinding {
	var out []AxeFinding
	for _, f := range findings {
		if f.Impact == "serious" || f.Impact == "critical" {
			out = append(out, f)
		}
	}
	return out
}

// axeFile is where scripts/install-test-deps put axe-core, or what TRUXE_AXE names.
func axeFile() string {
	if file := os.Getenv("TRUXE_AXE"); file != "" {
		return file
	}
	found, _ := filepath.Glob(filepath.Join(Root(), "test", ".cache", "axe-core-*", "axe.min.js"))
	if len(found) == 0 {
		return filepath.Join(Root(), "test", ".cache", "axe-core", "axe.min.js")
	}
	return found[len(found)-1]
}

// String is one line for a test's message.
func (f AxeFinding) String() string {
	var where []string
	for _, n := range f.Nodes {
		where = append(where, n.HTML)
	}
	return f.ID + " (" + f.Impact + "): " + f.Help + ": " + strings.Join(where, " | ")
}
