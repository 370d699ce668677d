package problem

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// RFC 6749 section 5.2: an OAuth client finds error and error_description in what is a problem to any other.
func TestOAuthErrorIsAProblemToo(t *testing.T) {
	w := httptest.NewRecorder()
	WriteOAuth(w, Problem{Code: identity.CodeInvalidGrant})
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusBadRequest || w.Header().Get("Cache-Control") != "no-store" ||
		out["error"] != "invalid_grant" ||
		out["code"] != "invalid_grant" || out["error_description"] != Detail(identity.CodeInvalidGrant) ||
		out["reference"] == "" {
		t.Errorf("%d %v", w.Code, out)
	}
}
