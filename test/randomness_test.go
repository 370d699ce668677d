package test

import (
	"strings"
	"testing"
)

// AU-08 CVE-2024-21495: all secrets come from the operating system's CSPRNG. math/rand is imported only by the rooms
// that spread retries in time, and those import nothing that makes secrets with it.
func TestArrowsSecretsComeFromTheCSPRNG(t *testing.T) {
	jitter := map[string]bool{"store": true, "cluster": true, "revocation": true, "outbox": true}
	found := 0
	for _, p := range goList(t, "./internal/...", "./caddymodule") {
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, "math/rand") {
				continue
			}
			found++
			if !jitter[room(p.ImportPath)] {
				t.Errorf("%s imports %s: use crypto/rand", p.ImportPath, imported)
			}
		}
	}
	if found == 0 {
		t.Error("control: no package imports math/rand, so this test would not notice")
	}
}
