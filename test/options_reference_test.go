package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// optionsOf reads the option tables of docs/reference/caddyfile.md, those whose first column is headed "option", or
// "option of" and the syntax of the option that has them. What is in that column between backquotes becomes ids:
// "redis on_loss deny" for `redis { on_loss deny\|stale <max age> }`. The rules are few: a word is an option, words
// divided by \| are each one of its values, <…> is an argument, […] may be left out, and { … } is a block whose words
// are options.
func optionsOf(markdown string) []string {
	var ids []string
	scope, owner, inTable := "", "", false
	for line := range strings.Lines(markdown) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "## "):
			scope, inTable = "", false
			if strings.Contains(line, "global option") {
				scope = "global "
			} else if strings.Contains(line, "directive") {
				scope = "site "
			}
		case strings.HasPrefix(line, "| option "):
			inTable, owner = true, scope
			if of := codeSpan.FindStringSubmatch(line); of != nil && strings.HasPrefix(line, "| option of ") {
				owner += spelled(of[1])[0] + " "
				for _, id := range ids { // a table of its own for the block of an option that is named before
					if strings.HasSuffix(id, " "+spelled(of[1])[0]) {
						owner = id + " "
					}
				}
			}
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case inTable && !strings.HasPrefix(line, "|-"):
			cell := strings.ReplaceAll(line, `\|`, "\x00")
			cell, _, _ = strings.Cut(cell[1:], "|")
			for _, span := range codeSpan.FindAllStringSubmatch(cell, -1) {
				for _, id := range spelled(strings.ReplaceAll(span[1], "\x00", "|")) {
					if id = owner + id; !slices.Contains(ids, id) {
						ids = append(ids, id)
					}
				}
			}
		}
	}
	return ids
}

var (
	codeSpan    = regexp.MustCompile("`([^`]+)`")
	argument    = regexp.MustCompile(`<[^>]*>`)
	optionToken = regexp.MustCompile(`[{}\[\]]|[^\s{}\[\]]+`)
)

// spelled returns the ids of one piece of syntax.
func spelled(syntax string) []string {
	var ids []string
	words := optionToken.FindAllString(argument.ReplaceAllString(syntax, " <> "), -1)
	at := 0
	var block func(prefix string, inBlock bool)
	block = func(prefix string, inBlock bool) {
		name, own, taken := prefix, "", false
		end := func() {
			if own != "" && taken {
				ids = append(ids, own)
			}
		}
		for at < len(words) {
			word := words[at]
			at++
			switch {
			case word == "}" || word == "]":
				end()
				return
			case word == "<>" || strings.Trim(word, ".…") == "":
				taken = taken || own != ""
			case word == "{":
				end()
				taken = false
				block(name+" ", true)
			case word == "[":
				end()
				taken = false
				block(name+" ", false)
			case strings.Contains(word, "|"):
				for _, value := range strings.Split(word, "|") {
					ids = append(ids, strings.TrimSpace(name+" "+value))
				}
				own = ""
				name = strings.TrimSpace(name + " " + word[strings.LastIndexByte(word, '|')+1:])
			case own == "" || inBlock:
				end()
				own = prefix + word
				// a block's own name and a choice of values are no option by themselves
				name, taken = own, at == len(words) || words[at] != "{" && !strings.Contains(words[at], "|")
			default: // a value that is one word: `storage sqlite`
				name += " " + word
				own, taken = name, true
			}
		}
		end()
	}
	block("", false)
	return slices.DeleteFunc(ids, func(id string) bool { return strings.TrimSpace(id) == "" })
}

func TestOptionsAreReadFromTheirTables(t *testing.T) {
	text := "## The global option `truxe`\n\n| option | means | default |\n|---|---|---|\n" +
		"| `portal <host>` | `not this` | x |\n| `storage sqlite [<file>]`, `storage postgres <dsn>` | a \\| b | c |\n" +
		"| `jwt { issuer audience trust <issuer> { jwks typ at+jwt\\|JWT } }`, `jwt { private_key <key> … }` | x | y |\n| `mfa optional\\|required [for role <role...>]` | x | y |\n" +
		"### More\n\n| option of `trust <issuer>` | means |\n|---|---|\n| `<issuer>` | x |\n| `prefix <text>\\|none` | x |\n| `role <ours> from <theirs...>` | x |\n" +
		"## The directive `truxe`\n\n| option | means |\n|---|---|\n| `rate_limit <events> <window> [per user\\|ip]` | x |\n| `app <name> { icon start }` | x |\n| `redis { on_loss deny\\|stale <max age> }` | x |\n" +
		"\n| other | table |\n|---|---|\n| `no option` | x |\n"
	want := []string{"global portal", "global storage sqlite", "global storage postgres", "global jwt issuer",
		"global jwt audience", "global jwt trust", "global jwt trust jwks",
		"global jwt trust typ at+jwt", "global jwt trust typ JWT", "global jwt private_key", "global jwt trust prefix",
		"global jwt trust prefix none", "global jwt trust role from", "global mfa optional", "global mfa required",
		"global mfa required for role",
		"site rate_limit", "site rate_limit per user", "site rate_limit per ip", "site app", "site app icon",
		"site app start", "site redis on_loss deny", "site redis on_loss stale"}
	got := optionsOf(text)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// referenceOptions are the documented options.
func referenceOptions(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(rig.Root(), "docs", "reference", "caddyfile.md"))
	if err != nil {
		t.Fatal(err)
	}
	ids := optionsOf(string(raw))
	if len(ids) < 60 {
		t.Fatalf("only %d options were found: %q", len(ids), ids)
	}
	return ids
}
