package test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// ED-13 HD-12 our token in another form than the two that sign in: the request is anonymous, and the app does not see
// it. An app's own Authorization arrives byte for byte.
func TestOurTokenInAnotherFormNeverReachesTheApp(t *testing.T) {
	s := spoofSite.open(t)
	token := s.login("app.test", "pia", piaPassword).Access
	basic := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	ask := func(path, line string) []string {
		s.up.Forget()
		answer := s.raw("GET " + path + " HTTP/1.1\r\nHost: app.test\r\nAuthorization: " + line +
			"\r\nConnection: close\r\n\r\n")
		seen := s.up.Seen()
		if len(seen) != 1 {
			t.Fatalf("%.40q: %d requests reached the app: %.80q", line, len(seen), answer)
		}
		if got := seen[0].Get("Remote-User"); path == "/public/x" && len(got) > 0 {
			t.Errorf("%.40q: signed in as %q", line, got)
		}
		return seen[0].Get("Authorization")
	}
	for _, form := range []string{"Bearer\t" + token, "Token " + token, token, "Bearer Bearer " + token,
		"Basic " + basic(token+":x"), "Basic " + basic(token), "token=" + token, "Bearer x, Bearer " + token} {
		if got := ask("/public/x", form); len(got) > 0 {
			t.Errorf("%.20q: the app sees %.40q", form, got)
		}
	}
	for _, own := range []string{"Token abc", "Basic " + basic("alice:secret"), "Bearer eyJhbGciOiJub25lIn0.e30.x",
		"AWS4-HMAC-SHA256 Credential=A/b, Signature=c"} {
		if got := ask("/public/x", own); strings.Join(got, "|") != own {
			t.Errorf("%q: the app sees %q", own, got)
		}
	}
	if got := ask("/x", "Bearer "+token); len(got) > 0 {
		t.Errorf("the proper form: the app sees %q", got)
	}
}
