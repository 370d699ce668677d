package condition

import (
	"os"
	"regexp"
	"testing"
)

// The reference names every variable and function of a condition.
func TestTheReferenceNamesWhatConditionsCanUse(t *testing.T) {
	text, err := os.ReadFile("../../../docs/reference/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	words := []string{inNetwork, "all", "exists", "exists_one"}
	for _, group := range fields {
		for name := range group {
			words = append(words, name)
		}
	}
	for name := range clock {
		words = append(words, name)
	}
	for _, name := range functions {
		if regexp.MustCompile(`^[a-z]+[A-Za-z]*$`).MatchString(name) {
			words = append(words, name)
		}
	}
	if len(words) < 30 {
		t.Fatalf("only %d words", len(words))
	}
	for _, word := range words {
		if !regexp.MustCompile("`" + regexp.QuoteMeta(word) + "[`(]").Match(text) {
			t.Errorf("%s is not in the reference", word)
		}
	}
}
