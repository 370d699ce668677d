package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var requirementID = regexp.MustCompile(`\b[A-Z]{2}-[0-9]{2}\b`)

// findTests reads every _test.go below root: the names of all tests and fuzz targets, and per requirement id those
// whose comment names it.
func findTests(root string, ids map[string]bool) (exists map[string]bool, cites map[string][]string, err error) {
	exists, cites = map[string]bool{}, map[string][]string{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") && !strings.HasPrefix(f.Name.Name, "Fuzz") ||
				f.Name.Name == "TestMain" {
				continue
			}
			exists[f.Name.Name] = true
			for _, id := range requirementID.FindAllString(f.Doc.Text(), -1) {
				if ids[id] && !slices.Contains(cites[id], f.Name.Name) {
					cites[id] = append(cites[id], f.Name.Name)
				}
			}
		}
		return nil
	})
	return exists, cites, err
}
