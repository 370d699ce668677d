package audit

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// owasp are the names of the OWASP logging vocabulary that ours map to.
var owasp = map[string]bool{
	"authn_login_success": true, "authn_login_fail": true, "authn_login_lock": true, "authn_password_change": true,
	"authn_token_created": true,
	"authn_token_revoked": true, "authn_token_reuse": true, "authz_fail": true, "authz_change": true,
	"privilege_permissions_changed": true,
	"user_created":                  true, "user_updated": true, "user_deleted": true, "session_created": true, "session_renewed": true,
	"session_logout": true,
}

// AU-02: each event is a name of the OWASP vocabulary or is listed as an addition of ours, and no constant is
// forgotten.
func TestEveryEventIsInTheVocabulary(t *testing.T) {
	ours := map[string]bool{UserDisabled: true, UserEnabled: true, UserExported: true, SessionRevoked: true,
		SetupLinkCreated: true, KeyRotated: true, Gap: true,
		AuthnMFARequired: true, AuthnMFAFail: true, AuthnMFAConfirmed: true, AuthnMFAEnabled: true, AuthnMFARemoved: true,
		AuthnMFAChanged: true, AuthnMFAReset: true,
		RecoveryUsed: true, RecoveryRenewed: true, PasskeySuspect: true, DeviceTrusted: true, DeviceForgotten: true}
	for event, name := range Vocabulary {
		if name == "" && !ours[event] {
			t.Errorf("%s has no OWASP name and is not listed as ours", event)
		}
		if name != "" && (!owasp[name] || ours[event] || event != name) {
			t.Errorf("%s maps to %q", event, name)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "vocabulary.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			constants++
			event, _ := strconv.Unquote(lit.Value)
			if _, known := Vocabulary[event]; !known {
				t.Errorf("%s is a constant and not in the vocabulary", event)
			}
		}
		return true
	})
	if constants != len(Vocabulary) {
		t.Errorf("%d constants, %d names", constants, len(Vocabulary))
	}
}

// AU-02: the committed names are those of the published list.
func TestOwaspNamesAreThePublishedOnes(t *testing.T) {
	dir := os.Getenv("TRUXE_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpora")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "logging", "owasp_log_vocabulary.json"))
	if os.IsNotExist(err) {
		t.Log("the list is not on this machine; only the committed names were compared")
		return
	}
	var list []struct {
		Event string `json:"event"`
	}
	if err != nil || json.Unmarshal(raw, &list) != nil || len(list) < 50 {
		t.Fatalf("%d names: %v", len(list), err)
	}
	published := map[string]bool{}
	for _, e := range list {
		published[e.Event] = true
	}
	for name := range owasp {
		if !published[name] {
			t.Errorf("%s is not in the list", name)
		}
	}
	for event, name := range Vocabulary {
		if name == "" && published[event] {
			t.Errorf("%s is in the list, not an addition of ours", event)
		}
	}
}

// The reference lists each event once, and no other.
func TestReferenceListsTheVocabulary(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "audit.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (OWASP|ours) \\|").FindAllStringSubmatch(string(raw), -1) {
		if listed[m[1]] != "" {
			t.Errorf("%s is listed twice", m[1])
		}
		listed[m[1]] = m[2]
	}
	for event, owasp := range Vocabulary {
		want := "ours"
		if owasp != "" {
			want = "OWASP"
		}
		if listed[event] != want {
			t.Errorf("%s is listed as %q, want %q", event, listed[event], want)
		}
		delete(listed, event)
	}
	for event := range listed {
		t.Errorf("%s is listed and is no event", event)
	}
}
