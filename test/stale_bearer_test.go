package test

import (
	"encoding/base64"
	"net/http"
	"testing"
)

// ED-31 R12 an access token that has ended, was revoked or was never one blocks none of the calls that need no caller:
// a client library that sends its token along everywhere can refresh it, sign in again, revoke and sign out. Calls that
// need a caller, and the one that asks who the caller is, refuse it as ever.
func TestStaleBearerBlocksNoCallThatNeedsNoCaller(t *testing.T) {
	s := tokenSites.open(t)
	revoked := s.login("app.test", "pia", piaPassword)
	s.bare("app.test").do(http.MethodPost, "/.truxe/api/v1/revoke", values("token", revoked.Access),
		sendsForm).want(http.StatusOK)
	for name, bad := range map[string]string{"revoked": revoked.Access, "made up": "trx_pat_bad",
		"cut": revoked.Access[:len(revoked.Access)-3]} {
		t.Run(name, func(t *testing.T) {
			stale, own := s.withBearer("app.test", bad), s.login("app.test", "pia", piaPassword)
			var next tokens
			stale.do(http.MethodPost, "/.truxe/api/v1/token", values("grant_type", "refresh_token", "refresh_token",
				own.Refresh), sendsForm).want(http.StatusOK).json(&next)
			s.withBearer("app.test", next.Access).get("/x", program).want(http.StatusOK)
			stale.api(http.MethodPost, "login", map[string]string{"username": "pia",
				"password": piaPassword}).want(http.StatusOK)
			stale.api(http.MethodPost, "login", map[string]string{"username": "pia",
				"password": "wrong"}).problem(http.StatusUnauthorized, "invalid_credentials")
			stale.do(http.MethodPost, "/.truxe/api/v1/revoke", values("token", next.Access), sendsForm).want(http.StatusOK)
			s.withBearer("app.test", next.Access).get("/x", program).want(http.StatusUnauthorized)
			stale.api(http.MethodPost, "login/passkey/begin", map[string]string{}).want(http.StatusOK)
			stale.api(http.MethodPost, "login/mfa", map[string]string{"mfa_token": "x", "method": "totp",
				"code": "123456"}).problem(http.StatusUnauthorized, "login_required")
			stale.api(http.MethodPost, "login/mfa/enrol", map[string]string{"mfa_token": "x",
				"method": "totp"}).problem(http.StatusUnauthorized, "login_required")
			stale.api(http.MethodPost, "logout", map[string]string{"mfa_token": base64.RawURLEncoding.EncodeToString(make([]byte,
				32))}).want(http.StatusNoContent)
			for _, page := range []string{"login", "logout"} {
				stale.get("/.truxe/"+page, navigate).want(http.StatusOK)
			}

			// The API does not sign out whoever the cookie is of in place of the token's user. The page does: it knows no
			// tokens.
			v := s.browser("app.test")
			v.signIn("pia", piaPassword)
			v.bearer = bad
			for _, body := range []string{"", "{}"} {
				v.do(http.MethodPost, "/.truxe/api/v1/logout", body, fetch,
					[]string{"Origin", "https://app.test", "Content-Type", "application/json"}).problem(http.StatusUnauthorized,
					"invalid_token")
			}
			v.bearer = ""
			v.get("/x", fetch).want(http.StatusOK)
			v.bearer = bad
			v.do(http.MethodPost, "/.truxe/logout", "", submit, []string{"Origin", "https://app.test"}).want(http.StatusSeeOther)
			v.bearer = ""
			v.get("/x", fetch).want(http.StatusUnauthorized)

			// Accept controls of "refuse": nothing that needs a caller takes it, with a good cookie beside it neither.
			v.signIn("pia", piaPassword)
			v.bearer = bad
			for _, call := range []string{"userinfo", "session", "sessions", "apps"} {
				v.api(http.MethodGet, call, nil).problem(http.StatusUnauthorized, "invalid_token")
			}
			v.get("/x", program).problem(http.StatusUnauthorized, "invalid_token")
			stale.api(http.MethodPost, "logout", nil).problem(http.StatusUnauthorized, "invalid_token")
		})
	}
}
