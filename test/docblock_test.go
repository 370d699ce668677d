package test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// block is one fenced block of a document with the mark before it.
type block struct {
	file       string
	line       int
	lang, text string
	mark, arg  string // <!-- test: mark arg -->
}

var (
	fence = regexp.MustCompile("^([ \t]*)(```+|~~~+)[ \t]*([A-Za-z0-9_+.-]*)")
	mark  = regexp.MustCompile(`^<!-- test: ([a-z]+):?(?: (.*?))? ?-->$`)
)

// blocksOf finds the fenced blocks of a Markdown text. A mark holds for the block that follows it, blank lines between.
func blocksOf(file, text string) []block {
	var all []block
	var current *block
	var end, indent string
	var marked [2]string
	for i, line := range strings.Split(text, "\n") {
		if current != nil {
			if strings.HasPrefix(strings.TrimSpace(line), end) {
				all = append(all, *current)
				current = nil
			} else {
				current.text += strings.TrimPrefix(line, indent) + "\n"
			}
			continue
		}
		if m := fence.FindStringSubmatch(line); m != nil {
			current = &block{file: file, line: i + 1, lang: strings.ToLower(m[3]), mark: marked[0], arg: marked[1]}
			indent, end = m[1], m[2]
			marked = [2]string{}
		} else if m := mark.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			marked = [2]string{m[1], m[2]}
		} else if strings.TrimSpace(line) != "" {
			marked = [2]string{}
		}
	}
	if current != nil {
		current.mark, current.arg = "unclosed", ""
		all = append(all, *current)
	}
	return all
}

// commands are the lines of a console block that are typed: after "$ ", with their continuations.
func commands(console string) string {
	var out strings.Builder
	more := false
	for line := range strings.Lines(console) {
		command, typed := strings.CutPrefix(line, "$ ")
		if !typed && !more {
			continue
		}
		out.WriteString(command)
		more = strings.HasSuffix(strings.TrimRight(command, "\n"), `\`)
	}
	return out.String()
}

func TestBlocksAreFoundWithTheirMarks(t *testing.T) {
	doc := "a\n\n<!-- test: site -->\n\n```caddyfile\nrespond x\n```\n\n<!-- test: run -->\nwords between\n```sh\nls\n```\n" +
		"1. list\n   <!-- test: shown: needs a network -->\n   ```console\n   $ a \\\n   b\n   out\n   ```\n````\nopen"
	got := blocksOf("x.md", doc)
	want := []block{
		{"x.md", 5, "caddyfile", "respond x\n", "site", ""},
		{"x.md", 11, "sh", "ls\n", "", ""}, // the words end the mark
		{"x.md", 16, "console", "$ a \\\nb\nout\n", "shown", "needs a network"},
		{"x.md", 21, "", "open\n", "unclosed", ""},
	}
	if len(got) != len(want) {
		t.Fatalf("%d blocks: %+v", len(got), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("block %d: %+v, want %+v", i, got[i], want[i])
		}
	}
	if got := commands(got[2].text); got != "a \\\nb\n" {
		t.Errorf("commands %q", got)
	}
}

// readDocs returns README.md and everything below docs/, by path from the root.
func readDocs(t *testing.T, root string) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for _, file := range markdownFiles(t, root) {
		text, err := os.ReadFile(root + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		docs[file] = string(text)
	}
	return docs
}
