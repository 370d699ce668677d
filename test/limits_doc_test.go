package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

var limitRow = regexp.MustCompile("(?m)^\\|[^|]*\\| `([0-9a-z.]+)` \\|[^|]*\\| `(internal/[\\w/]+) (\\w+)` \\|$")

// OP-05 the table of timeouts says what the code says.
func TestTableOfTimeoutsIsTrue(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(rig.Root(), "docs", "reference", "limits.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := limitRow.FindAllStringSubmatch(string(raw), -1)
	if len(rows) < 15 {
		t.Fatalf("%d rows with a constant", len(rows))
	}
	for _, row := range rows {
		want, err := time.ParseDuration(row[1])
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
		}
		if got, ok := durationConst(t, row[2], row[3]); !ok || got != want {
			t.Errorf("%s.%s is %v (there: %v), the table says %v", row[2], row[3], got, ok, want)
		}
	}
}

// durationConst reads a constant of a package from its source.
func durationConst(t *testing.T, dir, name string) (d time.Duration, ok bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(rig.Root(), dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, isSpec := n.(*ast.ValueSpec)
			if isSpec && len(spec.Names) == 1 && spec.Names[0].Name == name && len(spec.Values) == 1 {
				d, ok = durationOf(spec.Values[0])
			}
			return true
		})
	}
	return d, ok
}

var units = map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute,
	"Hour": time.Hour}

// durationOf computes `5 * time.Second` and the like.
func durationOf(e ast.Expr) (time.Duration, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		n, err := strconv.ParseInt(e.Value, 10, 64)
		return time.Duration(n), err == nil
	case *ast.SelectorExpr:
		d, ok := units[e.Sel.Name]
		return d, ok
	case *ast.BinaryExpr:
		x, okX := durationOf(e.X)
		y, okY := durationOf(e.Y)
		return x * y, okX && okY && e.Op == token.MUL
	}
	return 0, false
}
