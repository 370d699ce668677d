// Package proxies starts other proxies from the very blocks of docs/how-to/other-proxies.md, with a gateway behind
// them, and checks what visitors and apps get through each. Only addresses and paths of files are replaced.
package proxies

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }

const document = "docs/how-to/other-proxies.md"

// started are the names of the blocks that the tests of this package start.
var started = []string{"gateway", "nginx", "haproxy.lua", "haproxy", "caddy"}

var marked = regexp.MustCompile("(?m)^<!-- test: proxies: (\\S+) -->\n\n?```[a-z]+\n((?s:.*?))^```$")

// block returns a marked block of the document.
func block(t testing.TB, name string) string {
	t.Helper()
	for _, m := range marked.FindAllStringSubmatch(read(t, document), -1) {
		if m[1] == name {
			return m[2]
		}
	}
	t.Fatalf("%s has no block marked %q", document, "proxies: "+name)
	return ""
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rig.Root(), file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// replace replaces each of these texts, name and value by turns. A text that the block does not have fails the test:
// the block has changed and would be started with an address of the document.
func replace(t testing.TB, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the block has no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// ED-22: a block that says it is tested here is, and none of the three proxies of Debian is only shown.
func TestEveryMarkedBlockIsStarted(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(rig.Root(), "docs", "*", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var names []string
	for _, file := range files {
		rel, _ := filepath.Rel(rig.Root(), file)
		for _, m := range marked.FindAllStringSubmatch(read(t, rel), -1) {
			names = append(names, m[1])
			if filepath.ToSlash(rel) != document {
				t.Errorf("%s has the block %q; this package starts blocks of %s", rel, m[1], document)
			}
		}
	}
	slices.Sort(names)
	if want := slices.Sorted(slices.Values(started)); !slices.Equal(names, want) {
		t.Errorf("blocks %v, started are %v", names, want)
	}
	if regexp.MustCompile("(?m)^<!-- test: shown.*\n\n?```(nginx|haproxy|lua|caddyfile)").MatchString(read(t, document)) {
		t.Error("a block of nginx, HAProxy or Caddy is only shown")
	}
}
