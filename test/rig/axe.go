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

// axeTags are WCAG 2.0 to 2.2, A and AA, and best practices.
var axeTags = []string{"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"}

// axeColours are the rules that judge colours; they take longer than all others together.
var axeColours = []string{"color-contrast", "link-in-text-block"}

// Axe runs axe-core on the page and gives what it finds. The page's own CSP and a switched-off JavaScript do not get in
// its way.
func (b *Chromium) Axe() []AxeFinding {
	b.t.Helper()
	return b.axe(map[string]any{"runOnly": axeTags})
}

// AxeColours is Axe for a page that has been looked at in other colours.
func (b *Chromium) AxeColours() []AxeFinding {
	b.t.Helper()
	return b.axe(map[string]any{"runOnly": axeColours})
}

// AxeStructure is Axe for a page that has been looked at in the same colours: in another width or language.
func (b *Chromium) AxeStructure() []AxeFinding {
	b.t.Helper()
	off := map[string]any{}
	for _, rule := range axeColours {
		off[rule] = map[string]bool{"enabled": false}
	}
	return b.axe(map[string]any{"runOnly": axeTags, "rules": off})
}

func (b *Chromium) axe(options map[string]any) []AxeFinding {
	b.t.Helper()
	if b.options.NoJavaScript { // the page's own scripts have missed their chance and stay silent
		if err := b.javaScript(true); err != nil {
			b.t.Fatalf("let axe-core run: %v", err)
		}
		defer func() { _ = b.javaScript(false) }()
	}
	if !Eval[bool](b, "window.loadAxe?.(), 'axe' in window") {
		source, err := os.ReadFile(axeFile())
		if err != nil {
			b.t.Fatalf("axe-core is missing; scripts/install-test-deps fetches it: %v", err)
		}
		Eval[bool](b, string(source)+";true")
		if !b.hasAxe { // it is big: the next pages get it without another trip, and run it when it is asked for
			b.hasAxe = true
			b.InEveryPage("window.loadAxe = () => { if (!('axe' in window)) {" + string(source) + "\n}}")
		}
	}
	options["resultTypes"] = []string{"violations"}
	options["preload"] = false // there is nothing to play, and style sheets are read from the page
	asked, err := json.Marshal(options)
	must(b.t, "ask axe-core", err)
	answer := Eval[string](b, "axe.run(document, "+string(asked)+").then(r => JSON.stringify(r.violations))")
	var found []AxeFinding
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		b.t.Fatalf("read axe-core's answer: %v", err)
	}
	return found
}

// Serious keeps the findings that block users: impact serious or critical.
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
