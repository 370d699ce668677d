package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	maxPackageLines = 3000 // without tests
	maxFileLines    = 400
	medianFileLines = 150
	mostFileLines   = 300 // of nine files in ten
	maxMethods      = 40
	maxFields       = 14
)

// Packages that may be larger, and why.
var largePackages = map[string]string{
	"internal/store": "one file of queries for each aggregate, on one type that transactions share",
	"caddymodule":    "Caddy registers its modules, directives and commands from one package",
}

// Types that may have more methods, and why.
var richTypes = map[string]string{
	"internal/store Queries": "one method for each statement",
}

// Configurations may have more fields. They are flat, so that a reader finds each line of the configuration once. Most
// are known by their name; these are the others, with what an operator writes in each field.
var configurations = map[string]string{
	"caddymodule App":      "the global options of a Caddyfile",
	"caddymodule Site":     "the lines of a directive",
	"internal/policy Rule": "the keys of a rule in a policy file",
}

// configuration reports whether a struct holds what an operator or a caller sets, by the name that it has then.
func configuration(name string) bool {
	for _, end := range []string{"Config", "Options", "Settings"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// shape is what is counted of the code.
type shape struct {
	files    []int          // lines of each file
	packages map[string]int // lines by folder, without tests
	methods  map[string]int // by folder and type
	fields   map[string]int // by folder and struct
}

func shapeOf(t *testing.T) shape {
	t.Helper()
	s := shape{packages: map[string]int{}, methods: map[string]int{}, fields: map[string]int{}}
	for file, text := range sourceFiles(t) {
		if path.Ext(file) != ".go" {
			continue
		}
		lines := strings.Count(text, "\n")
		s.files = append(s.files, lines)
		if lines > maxFileLines {
			t.Errorf("%s has %d lines: one idea a file, %d lines at most", file, lines, maxFileLines)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		folder := path.Dir(file)
		s.packages[folder] += lines
		tree, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s.count(folder, tree)
	}
	return s
}

func (s *shape) count(folder string, file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv != nil {
				s.methods[folder+" "+typeName(n.Recv.List[0].Type)]++
			}
		case *ast.TypeSpec:
			if of, ok := n.Type.(*ast.StructType); ok {
				s.fields[folder+" "+n.Name.Name] = of.Fields.NumFields()
			}
		}
		return true
	})
}

// typeName returns the name of a receiver's type, without star and type parameters.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// A package, a type and a file stay small enough to be read in one sitting.
func TestCodeIsInPiecesThatCanBeRead(t *testing.T) {
	s := shapeOf(t)
	slices.Sort(s.files)
	if len(s.files) < 100 || len(s.packages) < 20 {
		t.Fatalf("only %d files of %d packages were counted", len(s.files), len(s.packages))
	}
	if median := s.files[len(s.files)/2]; median > medianFileLines {
		t.Errorf("half of the files have %d lines or more, want %d at most", median, medianFileLines)
	}
	if most := s.files[len(s.files)*9/10]; most > mostFileLines {
		t.Errorf("one file in ten has %d lines or more, want %d at most", most, mostFileLines)
	}
	tooLarge(t, "lines in package", s.packages, maxPackageLines, largePackages)
	tooLarge(t, "methods on", s.methods, maxMethods, richTypes)
	for name := range s.fields {
		if _, of, _ := strings.Cut(name, " "); configuration(of) {
			delete(s.fields, name)
		}
	}
	tooLarge(t, "fields in", s.fields, maxFields, configurations)
}

// tooLarge reports counts above a limit that no exception allows, and exceptions that nothing needs any more.
func tooLarge(t *testing.T, what string, counts map[string]int, limit int, exceptions map[string]string) {
	t.Helper()
	for name, n := range counts {
		if _, ok := exceptions[name]; n > limit && !ok {
			t.Errorf("%d %s %s: %d at most", n, what, name, limit)
		}
	}
	for name := range exceptions {
		if counts[name] <= limit {
			t.Errorf("%s needs no exception: %d %s it", name, counts[name], what)
		}
	}
}
