// Command requirements rewrites the tests column of docs/security-requirements.md from the comments above the tests:
// a test proves the requirements whose ids its comment names. Run it from the root of the repository.
package main

import (
	_ "embed"
	"fmt"
	"os"
	"strings"
)

const document = "docs/security-requirements.md"

//go:embed testdata/requirement_ids.txt
var idList string

// requirementIDs are the ids that the document must have.
func requirementIDs() map[string]bool {
	ids := map[string]bool{}
	for _, id := range strings.Fields(idList) {
		ids[id] = true
	}
	return ids
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "requirements:", err)
		os.Exit(1)
	}
}

func run() error {
	doc, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	_, cites, err := findTests(".", requirementIDs())
	if err != nil {
		return err
	}
	if err := os.WriteFile(document, []byte(rewrite(string(doc), cites)), 0o644); err != nil {
		return err
	}
	fmt.Printf("%d of %d requirements have a test\n", len(cites), len(requirementIDs()))
	return nil
}
