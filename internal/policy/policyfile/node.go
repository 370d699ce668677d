package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

const (
	maxDepth = 12   // of nested lists and mappings; a policy needs six
	maxText  = 4096 // bytes of one value; a condition is the longest
)

// reader takes YAML apart node by node. It goes on after a mistake, so that all of them are told at once.
type reader struct {
	file     string
	lines    []string // of the file
	problems *Problems
}

func (r *reader) at(n *yaml.Node) policy.Position {
	return policy.Position{File: r.file, Line: n.Line, Column: n.Column}
}

func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	r.problems.add(r.at(n), format, args...)
}

var yamlAtLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// document parses a file that must be one YAML document without references; nil: it is empty or has been refused.
func (r *reader) document(text []byte) *yaml.Node {
	if !utf8.Valid(text) { // UTF-16 would be read, but by no editor's search and no reviewer's diff
		r.problems.add(at(r.file), "it is not UTF-8 text")
		return nil
	}
	r.lines = strings.Split(string(text), "\n")
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			r.syntax(err)
		}
		return nil
	}
	if err := dec.Decode(&more); err == nil {
		r.fail(&more, `a second document ("---") begins; a policy file is one document`)
		return nil
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil
	}
	root := doc.Content[0]
	if !r.plain(root, 0) || root.ShortTag() == "!!null" {
		return nil
	}
	return root
}

func (r *reader) syntax(err error) {
	where, what := at(r.file), err.Error()
	if m := yamlAtLine.FindStringSubmatch(what); m != nil {
		where.Line, _ = strconv.Atoi(m[1])
		what = m[2]
	}
	r.problems.add(where, "not YAML: %s", what)
}

// plain refuses what makes a file mean something else than it shows: references (which can also grow without bound),
// merge keys and tags; and depth.
func (r *reader) plain(n *yaml.Node, depth int) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.fail(n, "anchors and aliases (& and *) are not taken; write it out")
	case n.Style&yaml.TaggedStyle != 0:
		r.fail(n, "tags such as %.40q are not taken", n.Tag)
	case n.ShortTag() == "!!merge":
		r.fail(n, "merge keys (<<) are not taken; write it out")
	case depth > maxDepth:
		r.fail(n, "it is nested too deeply")
	default:
		ok := true
		for _, child := range n.Content {
			ok = r.plain(child, depth+1) && ok
		}
		return ok
	}
	return false
}

// pair is an entry of a mapping.
type pair struct{ key, value *yaml.Node }

// entries are those of a mapping whose keys are text, each once.
func (r *reader) entries(n *yaml.Node, what string) []pair {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "%s: want a mapping (name: value), got %s", what, kindOf(n))
		return nil
	}
	seen := map[string]*yaml.Node{}
	var all []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			r.fail(key, "%s: want a name before the colon, got %s; put it in quotes", what, kindOf(key))
			continue
		}
		if first := seen[key.Value]; first != nil {
			r.fail(key, "%s: %s appears twice, first in line %d", what, quote(key.Value), first.Line)
			continue
		}
		seen[key.Value] = key
		all = append(all, pair{key, n.Content[i+1]})
	}
	return all
}

// keys returns the entries of a mapping by name. Unknown names are mistakes.
func (r *reader) keys(n *yaml.Node, what string, known ...string) map[string]pair {
	byName := map[string]pair{}
	for _, e := range r.entries(n, what) {
		if !slices.Contains(known, e.key.Value) {
			r.fail(e.key, "%s: unknown key %s%s", what, quote(e.key.Value), r.hint(e.key.Value, known))
			continue
		}
		byName[e.key.Value] = e
	}
	return byName
}

// items are those of a list that has some.
func (r *reader) items(n *yaml.Node, what string) []*yaml.Node {
	switch {
	case n.Kind != yaml.SequenceNode:
		r.fail(n, "%s: want a list [a, b], got %s", what, kindOf(n))
		return nil
	case len(n.Content) == 0:
		r.fail(n, "%s: the list is empty; leave %s out instead", what, what)
	}
	return n.Content
}

// word is a text with its place.
type word struct {
	text string
	node *yaml.Node
}

// text reads one text; ok: it is one, of at most maxText bytes and without control characters.
func (r *reader) text(n *yaml.Node, what string) (w word, ok bool) {
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
		more := ""
		if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && len(n.Value) < 40 {
			more = fmt.Sprintf("; write %q in quotes", n.Value)
		}
		r.fail(n, "%s: want text, got %s%s", what, kindOf(n), more)
	case n.Value == "":
		r.fail(n, "%s: it is empty", what)
	case len(n.Value) > maxText:
		r.fail(n, "%s: it is longer than %d bytes", what, maxText)
	case strings.ContainsFunc(n.Value, hidden):
		r.fail(n, "%s: it has characters that do not show", what)
	default:
		return word{n.Value, n}, true
	}
	return word{}, false
}

// hidden: control characters, and those that make a line read other than it is (CVE-2021-42574).
func hidden(c rune) bool {
	return unicode.IsControl(c) && c != '\n' && c != '\t' || unicode.Is(unicode.Bidi_Control, c) || c == '\u2028' ||
		c == '\u2029' || c == '\u200b' || c == '\ufeff'
}

// texts reads a list of texts, each once.
func (r *reader) texts(n *yaml.Node, what string) []word {
	var words []word
	seen := map[string]bool{}
	for _, item := range r.items(n, what) {
		w, ok := r.text(item, what)
		switch {
		case !ok:
		case seen[w.text]:
			r.fail(item, "%s: %s appears twice", what, quote(w.text))
		default:
			seen[w.text] = true
			words = append(words, w)
		}
	}
	return words
}

// yes reads `true`. No key here has a meaning when it is false, and "off" must not read as "on".
func (r *reader) yes(n *yaml.Node, what string) bool {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && strings.EqualFold(n.Value, "true") {
		return true
	}
	r.fail(n, "%s: want true, got %s; leave it out where it does not hold", what, kindOf(n))
	return false
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	case "!!str":
		return "text"
	}
	return "a value of another kind"
}

// quote shows a word of a file, cut to a length that a line of output bears.
func quote(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return strconv.Quote(s)
}

func hint(got string, known []string) string { return nearest.Hint(got, known) }

// hint looks for the nearest word while there are few problems: in a file made of mistakes the search is the expensive
// part.
func (r *reader) hint(got string, known []string) string {
	if len(*r.problems) > 4*maxProblems {
		return ""
	}
	return hint(got, known)
}
