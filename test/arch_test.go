// Package test looks at the project from outside: its import arrows, its module versions, its documents and, through
// the rig, the started binary.
package test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

const module = "github.com/truxeio/caddy-truxe"

func TestMain(m *testing.M) {
	code := rig.Main(m)
	endStories()
	os.Exit(code)
}

// floors orders the rooms: a package imports from lower floors only, never sideways or upward. A room is the folder
// below internal/, its subfolders included.
var floors = [][]string{
	{"identity", "nearest", "useragent", "regular", "loopback"},
	{"store", "cluster", "secret", "problem", "strictjson", "identityheader", "mail"},
	{"session", "token", "revocation", "credential", "federation", "policy", "ratelimit", "audit", "cors", "claim"},
	{"authn"},
	{"origin"},
	{"change", "rules"},
	{"gate", "signin", "people"},
	{"console", "portal", "outbox"},
	{"gateway"},
	{"caddymodule"},
	{"", "cmd"}, // "" is the root package
}

// floorsInside orders the subfolders of a room that has several; "" is the room itself.
var floorsInside = map[string][][]string{
	"portal": {{"view", "wire"}, {"web"}, {"pages", "admin", "api"}, {""}},
}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Standard                           bool
	Error                              *struct{ Err string }
}

// goList runs `go list -json` with the arguments.
func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e",
		"-json=ImportPath,Imports,TestImports,XTestImports,Standard,Error"}, args...)...)
	cmd.Dir = rig.Root()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatalf("go list %v found nothing", args)
	}
	return all
}

// room is the folder a package of ours belongs to.
func room(importPath string) string {
	first, _ := folders(importPath)
	return first
}

// folders returns the room of a package and its path within the room.
func folders(importPath string) (room, inside string) {
	rest := strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
	room, inside, _ = strings.Cut(strings.TrimPrefix(rest, "internal/"), "/")
	return room, inside
}

func floor(floors [][]string, room string) int {
	return slices.IndexFunc(floors, func(rooms []string) bool { return slices.Contains(rooms, room) })
}

// wrongArrow says what is wrong with `from` importing `to`, both packages of ours; empty means nothing.
func wrongArrow(from, to string) string {
	f, fromInside := folders(from)
	g, toInside := folders(to)
	order := floors
	switch {
	case f == g && floorsInside[f] == nil:
		return ""
	case f == g:
		order, f, g = floorsInside[f], fromInside, toInside
	case to == module+"/test/program" && strings.HasSuffix(from, "test"):
		return "" // packages that start servers for the tests of others: pgtest, redistest
	}
	switch below, above := floor(order, g), floor(order, f); {
	case below < 0 || above < 0:
		return "has a room without a floor: give it one in test/arch_test.go"
	case below == above:
		return "goes sideways"
	case below > above:
		return "goes up"
	}
	return ""
}

func TestArrowsGoDownOnly(t *testing.T) {
	for _, bad := range [][2]string{{"store", "session"}, {"session", "token"}, {"gate", "gateway"},
		{"store", "nowhere"}, {"portal/pages", "portal/api"}, {"portal/web", "portal"}} {
		if wrongArrow(module+"/internal/"+bad[0], module+"/internal/"+bad[1]) == "" {
			t.Errorf("the rule lets %s import %s", bad[0], bad[1])
		}
	}
	if wrongArrow(module+"/internal/store", module+"/test/program") == "" {
		t.Error("the rule lets store start programs of tests")
	}
	for _, p := range goList(t, "./...") {
		if strings.HasPrefix(p.ImportPath, module+"/test") || strings.HasPrefix(p.ImportPath, module+"/policies") {
			continue
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, module) {
				if why := wrongArrow(p.ImportPath, imported); why != "" {
					t.Errorf("%s -> %s %s", p.ImportPath, imported, why)
				}
			}
		}
	}
}

func TestArrowsCaddyStaysInCaddymodule(t *testing.T) {
	caddy := func(path string) bool {
		return strings.HasPrefix(path, "github.com/caddyserver/caddy") || strings.HasPrefix(path, "go.uber.org/zap")
	}
	for _, p := range goList(t, "-deps", "./internal/...") {
		if caddy(p.ImportPath) {
			t.Errorf("internal/ links %s", p.ImportPath)
		}
		if !strings.HasPrefix(p.ImportPath, module) {
			continue
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if caddy(imported) {
				t.Errorf("the tests of %s import %s", p.ImportPath, imported)
			}
		}
	}
	if !slices.ContainsFunc(goList(t, "-deps", "./cmd/..."), func(p listed) bool { return caddy(p.ImportPath) }) {
		t.Error("control: the binary does not link Caddy")
	}
}

func TestArrowsPureRoomsTouchNothing(t *testing.T) {
	impure := regexp.MustCompile(`^(os|net|database)$|^(os|database|syscall|log)/|^(log|syscall|math/rand|math/rand/v2|crypto/rand|plugin|unsafe)$`)
	for _, path := range []string{"os", "net", "os/exec", "database/sql"} {
		if !impure.MatchString(path) {
			t.Errorf("the rule lets a pure room import %s", path)
		}
	}
	for _, p := range goList(t, "./internal/...") {
		switch room(p.ImportPath) {
		case "identity":
			for _, imported := range p.Imports {
				if strings.Contains(imported, ".") {
					t.Errorf("%s imports %s: standard library only", p.ImportPath, imported)
				}
			}
		case "policy", "identityheader":
			for _, imported := range p.Imports {
				if impure.MatchString(imported) {
					t.Errorf("%s imports %s: it decides from its arguments alone", p.ImportPath, imported)
				}
				if strings.HasPrefix(imported, module) && room(imported) != room(p.ImportPath) && room(imported) != "identity" &&
					room(imported) != "nearest" {
					t.Errorf("%s imports %s: of ours it knows identity and nearest only", p.ImportPath, imported)
				}
			}
		}
	}
}

// OP-04 Versions that Caddy decides stay Caddy's: a second cel-go would link a second engine, a newer quic-go or otel
// was never tried with this Caddy.
func TestNothingLiftsCaddysLibraries(t *testing.T) {
	goOutput := func(args ...string) []byte {
		cmd := exec.Command("go", args...)
		cmd.Dir = rig.Root()
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %v: %v", args, err)
		}
		return out
	}
	file := strings.TrimSpace(string(goOutput("list", "-m", "-f", "{{.GoMod}}", "github.com/caddyserver/caddy/v2")))
	var caddy struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(goOutput("mod", "edit", "-json", file), &caddy); err != nil {
		t.Fatal(err)
	}
	ours := map[string]string{}
	for line := range strings.Lines(string(goOutput("list", "-m", "all"))) {
		if words := strings.Fields(line); len(words) >= 2 {
			ours[words[0]] = words[len(words)-1]
		}
	}
	held := regexp.MustCompile(`^cel\.dev/|^github\.com/google/cel-go|^github\.com/quic-go/|^go\.opentelemetry\.io/otel`)
	checked := 0
	for _, r := range caddy.Require {
		if !held.MatchString(r.Path) {
			continue
		}
		checked++
		if ours[r.Path] != r.Version {
			t.Errorf("%s is %s here and %s in Caddy's go.mod", r.Path, ours[r.Path], r.Version)
		}
	}
	if checked < 5 {
		t.Errorf("only %d of Caddy's libraries were compared", checked)
	}
	if v, ok := ours["github.com/google/cel-go"]; ok && ours["cel.dev/cel-go"] != "" {
		t.Errorf("a second CEL engine is linked: github.com/google/cel-go %s", v)
	}
}

// sourceFiles returns the text of every file of the tree that was written by hand, by its path below the root.
func sourceFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(rig.Root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && slices.Contains([]string{".git", ".cache", "bin", "dist", "testdata", "node_modules"}, name) {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() || !slices.Contains([]string{".go", ".html", ".css", ".js", ".sql", ".sh", ".yml", ".yaml",
			""}, filepath.Ext(name)) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(rig.Root(), path)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSourceIsFinished(t *testing.T) {
	// Written in two halves, or this file would find itself.
	unfinished := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	skipping := regexp.MustCompile(`\b[a-z]+\.Sk` + `ip(f|Now)?\(`)
	for path, text := range sourceFiles(t) {
		if m := unfinished.FindString(text); m != "" {
			t.Errorf("%s says %s", path, m)
		}
		if strings.HasSuffix(path, "_test.go") && skipping.MatchString(text) {
			t.Errorf("%s can skip a test", path)
		}
	}
}
