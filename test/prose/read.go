package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// text is a piece of one file that is judged as a whole. Its lines are those of the file.
type text struct {
	place place
	line  int
	words string
}

// readers are the functions that take the prose out of a file, by the extension of its name.
var readers = map[string]func(path string) ([]text, error){
	".go":   readGo,
	".md":   readMarkdown,
	".html": readPage,
	".txt":  readPage,
	".json": readPage,
	".js":   readSlashes,
	".css":  readSlashes,
	".sql":  readDashes,
	".lua":  readDashes,
	".yml":  readHashes,
	".yaml": readHashes,
}

// readGo returns comments, strings of several words, and the names that the file declares.
func readGo(path string) ([]text, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var texts []text
	line := func(n ast.Node) int { return set.Position(n.Pos()).Line }
	for _, group := range file.Comments {
		var lines []string
		for _, c := range group.List {
			lines = append(lines, commentMarks.ReplaceAllString(c.Text, ""))
		}
		texts = append(texts, text{comment, line(group), withoutCode(strings.Join(lines, "\n"))})
	}
	declare := func(names ...*ast.Ident) {
		for _, n := range names {
			texts = append(texts, text{name, line(n), n.Name})
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			declare(n.Name)
		case *ast.TypeSpec:
			declare(n.Name)
		case *ast.Field:
			declare(n.Names...)
		case *ast.GenDecl:
			for _, spec := range n.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && n.Tok != token.VAR {
					declare(v.Names...)
				}
			}
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && strings.Contains(s, " ") {
				texts = append(texts, text{message, line(n), withoutCode(s)})
			}
		}
		return true
	})
	return texts, nil
}

var (
	commentMarks = regexp.MustCompile(`(?m)^\s*(?:// ?|/\*|\*/)`)
	inlineCode   = regexp.MustCompile("`[^`]{0,400}`")
	tags         = regexp.MustCompile(`<[^<>]*>|\{\{[^{}]*\}\}`)
)

// withoutCode replaces what is between backquotes, which names a file, a command or a value. Lines stay where they are.
func withoutCode(s string) string {
	return inlineCode.ReplaceAllStringFunc(s, func(code string) string {
		return "`…" + strings.Repeat("\n", strings.Count(code, "\n")) + "`"
	})
}

// readMarkdown returns the paragraphs, without code.
func readMarkdown(path string) ([]text, error) {
	return readParagraphs(path, func(lines []string) {
		fenced := false
		for i, l := range lines {
			fence := strings.HasPrefix(strings.TrimSpace(l), "```")
			if fenced || fence {
				lines[i] = ""
			}
			fenced = fenced != fence
		}
	})
}

// readPage returns what a page, a mail or a file of translations shows.
func readPage(path string) ([]text, error) {
	return readParagraphs(path, func(lines []string) {
		for i, l := range lines {
			lines[i] = tags.ReplaceAllString(l, "")
		}
	})
}

// readParagraphs returns the paragraphs of a file after edit has emptied the lines that are not prose.
func readParagraphs(path string, edit func(lines []string)) ([]text, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(raw), "\n")
	edit(lines)
	var texts []text
	start := 0
	for i := 0; i <= len(lines); i++ {
		if i < len(lines) && strings.TrimSpace(lines[i]) != "" {
			continue
		}
		if i > start {
			texts = append(texts, text{document, start + 1, withoutCode(strings.Join(lines[start:i], "\n"))})
		}
		start = i + 1
	}
	return texts, nil
}

func readHashes(path string) ([]text, error)  { return readComments(path, "#") }
func readDashes(path string) ([]text, error)  { return readComments(path, "--") }
func readSlashes(path string) ([]text, error) { return readComments(path, "//") }

// readComments returns the blocks of whole-line comments that begin with mark, and comments behind code.
func readComments(path, mark string) ([]text, error) {
	texts, err := readParagraphs(path, func(lines []string) {
		for i, l := range lines {
			_, after, ok := strings.Cut(" "+l, " "+mark)
			if !ok {
				after = ""
			}
			lines[i] = strings.TrimLeft(after, " "+mark[:1])
		}
	})
	for i := range texts {
		texts[i].place = comment
	}
	return texts, err
}
