package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

const tour = "docs/contributing/tour.md"

var (
	// A stop of the tour is a row of a table: number, file, function, what it does.
	tourStop = regexp.MustCompile("^\\| *\\d+ *\\| *`([^`]+\\.go)` *\\| *`([^`]+)` *\\|")
	goFile   = regexp.MustCompile("`([\\w./-]+\\.go)`")
)

// The tour names files and functions by the dozen. Each of them exists, and the function is in the file.
func TestTourLeadsWhereItSays(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(rig.Root(), tour))
	if err != nil {
		t.Fatal(err)
	}
	stops := 0
	for n, line := range strings.Split(string(raw), "\n") {
		for _, m := range goFile.FindAllStringSubmatch(line, -1) {
			if _, err := os.Stat(filepath.Join(rig.Root(), m[1])); err != nil {
				t.Errorf("%s:%d: %s does not exist", tour, n+1, m[1])
			}
		}
		m := tourStop.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		stops++
		if declared := functionsOf(t, m[1]); !declared[m[2]] {
			t.Errorf("%s:%d: %s is not declared in %s", tour, n+1, m[2], m[1])
		}
	}
	if stops < 20 {
		t.Errorf("%d stops; the tables of the tour are not read", stops)
	}
}

// The way of a warm request with a cookie, the first table, may get shorter, not longer.
const warmPackages, warmCalls = 8, 18

func TestWarmRequestPassesThroughFewPackages(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(rig.Root(), tour))
	if err != nil {
		t.Fatal(err)
	}
	packages, calls := map[string]bool{}, 0
	_, section, _ := strings.Cut(string(raw), "## One request")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, line := range strings.Split(section, "\n") {
		if m := tourStop.FindStringSubmatch(line); m != nil {
			packages[filepath.Dir(m[1])] = true
			calls++
		}
	}
	if len(packages) > warmPackages || calls > warmCalls || calls == 0 {
		t.Errorf("%d packages and %d calls, at most %d and %d", len(packages), calls, warmPackages, warmCalls)
	}
}

// functionsOf returns the functions of a file, as `Name` and `Type.Name`; a file that does not parse has none.
func functionsOf(t *testing.T, file string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(rig.Root(), file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return names
	}
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if f.Recv == nil {
			names[f.Name.Name] = true
			continue
		}
		of := f.Recv.List[0].Type
		if star, ok := of.(*ast.StarExpr); ok {
			of = star.X
		}
		if generic, ok := of.(*ast.IndexExpr); ok {
			of = generic.X
		}
		if id, ok := of.(*ast.Ident); ok {
			names[id.Name+"."+f.Name.Name] = true
		}
	}
	return names
}
