package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/test/rig"
)

// DESIGN style 8: the comparison of permissions that docs/how-to/rbac.md gives to app developers, built and run as it
// is there, says what the gateway's own says.
func TestComparisonOfTheDocumentsIsTheGateways(t *testing.T) {
	blocks := blocksOf("rbac.md", readDocs(t, rig.Root())["docs/how-to/rbac.md"])
	at := slices.IndexFunc(blocks, func(b block) bool { return b.lang == "go" })
	if at < 0 {
		t.Fatal("the document shows no comparison")
	}
	names := []string{"*", "*:*", "orders:*", "*:read", "orders:read", "orders:write", "orders:archive:read",
		"orders:archive:*", "ordersx:read", "order:read", "read", "", ":", "orders:", ":read", "a:b:c:*", "*:read:x"}
	var main, want strings.Builder
	main.WriteString(strings.Replace(blocks[at].text, "package rbac\n\nimport \"strings\"",
		"package main\n\nimport (\n\t\"fmt\"\n\t\"strings\"\n)", 1) + "\nfunc main() {\n")
	for _, held := range names {
		for _, wanted := range names {
			fmt.Fprintf(&main, "\tfmt.Println(%q, %q, Covers(%q, %q))\n", held, wanted, held, wanted)
			fmt.Fprintln(&want, held, wanted, policy.Covers(held, wanted))
		}
	}
	main.WriteString("}\n")
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(main.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "run", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.Split(string(out), "\n"); !slices.Equal(got, strings.Split(want.String(), "\n")) {
		for i, line := range strings.Split(want.String(), "\n") {
			if i >= len(got) || got[i] != line {
				t.Errorf("%q, and the gateway says %q", got[min(i, len(got)-1)], line)
			}
		}
	}
}
