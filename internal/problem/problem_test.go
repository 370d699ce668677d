package problem_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// codes are all codes that identity declares, read from its source so that a new one cannot be forgotten here.
func codes(t *testing.T) []identity.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../identity/error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []identity.Code
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if typ, ok := v.Type.(*ast.Ident); !ok || typ.Name != "Code" {
			return true
		}
		name, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, identity.Code(name))
		return true
	})
	if len(all) < 28 {
		t.Fatalf("only %d codes were found", len(all))
	}
	return all
}

func write(t *testing.T, p problem.Problem) (*http.Response, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	problem.Write(w, p)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	return w.Result(), body
}

// A client that gets an error reads what it is, what happened and what to do about it.
func TestEveryCodeHasTitleDetailAndRemedy(t *testing.T) {
	_, unknown := write(t, problem.Problem{Code: "no_such_code"})
	if unknown["status"] != 500.0 || unknown["detail"] != "Something went wrong on our side." {
		t.Errorf("an unknown code is %v", unknown)
	}
	for _, code := range codes(t) {
		res, body := write(t, problem.Problem{Code: code})
		for _, member := range []string{"title", "detail", "remedy"} {
			s, _ := body[member].(string)
			if s == "" || strings.TrimSpace(s) != s {
				t.Errorf("%s has no %s: %q", code, member, s)
			}
			if code != identity.CodeInternal && s == unknown[member] {
				t.Errorf("%s has no %s of its own", code, member)
			}
			if sentence := member != "title"; sentence != strings.HasSuffix(s, ".") {
				t.Errorf("%s: %s is %q; details and remedies are sentences, titles are not", code, member, s)
			}
		}
		if code != identity.CodeInternal && res.StatusCode == http.StatusInternalServerError {
			t.Errorf("%s has no status", code)
		}
		if body["type"] != "urn:truxe:problem:"+string(code) || body["code"] != string(code) ||
			int(body["status"].(float64)) != res.StatusCode {
			t.Errorf("%s: %v", code, body)
		}
	}
}

// What the caller of Write knows better is kept.
func TestOwnWordsReplaceTheCatalogue(t *testing.T) {
	_, body := write(t, problem.Problem{Code: identity.CodeConflict, Detail: "This user name is taken.",
		Remedy: "Choose another one."})
	if body["detail"] != "This user name is taken." || body["remedy"] != "Choose another one." ||
		body["title"] != "Changed meanwhile" {
		t.Errorf("%v", body)
	}
}
