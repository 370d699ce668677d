package view_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

// story is one page in one state.
type story struct {
	name   string
	status int
	page   view.Page
}

var (
	now   = time.Date(2026, 11, 23, 14, 5, 0, 0, time.UTC)
	alice = view.Viewer{Username: "alice", Name: "Alice Archer"}

	grafana = view.Destination{Host: "grafana.example.com"}
)

const (
	firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	chrome  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)

// stories are all pages in the states that users meet.
func stories() []story {
	wrong := []view.Problem{{Field: view.FieldPassword, Key: "problem.invalid_credentials"}}
	sessions := []view.Session{
		{ID: "b", UserAgent: iphone, Address: "203.0.113.7", Host: "grafana.example.com",
			SignedIn: now.Add(-50 * time.Hour),
			LastSeen: now.Add(-3 * time.Hour), Methods: []string{"pwd"}},
		{ID: "a", UserAgent: firefox, Address: "198.51.100.23", Host: "auth.example.com", SignedIn: now.Add(-time.Hour),
			LastSeen: now, Methods: []string{"pwd", "otp"}, Current: true},
		{ID: "c", UserAgent: chrome, Address: "2001:db8:12:34::9", SignedIn: now.Add(-400 * time.Hour),
			LastSeen: now.Add(-200 * time.Hour), Methods: []string{"pwd"}},
		{ID: "d", UserAgent: "", Address: "192.0.2.1", SignedIn: now, LastSeen: time.Time{}},
	}
	apps := []view.App{
		{Name: "Grafana", Host: "grafana.example.com", URL: "https://grafana.example.com",
			Description: "Dashboards and alerts"},
		{Name: "Orders", Host: "orders.example.com", URL: "https://orders.example.com",
			Description: "Shop orders and returns", StepUp: true},
		{Host: "wiki.example.com", URL: "https://wiki.example.com"},
		{Name: "Paperless", Host: "paperless.example.com", URL: "https://paperless.example.com",
			Description: "Letters, invoices and everything else that was paper"},
	}
	list := []story{
		{"login", 200, view.Login{Destination: grafana, RememberDays: 30}},
		{"login-app", 200, view.Login{Destination: view.Destination{Host: "grafana.example.com", App: "Grafana"},
			RememberDays: 30, Username: "alice",
			Remember: true, WayBack: view.WayBack{Return: "r1", Fragment: "/d/7"}}},
		{"login-bare", 200, view.Login{}},
		{"login-wrong", 401, view.Login{Destination: grafana, RememberDays: 30, Username: "alice", Problems: wrong,
			Attempts: view.Attempts{TriesLeft: 2, Pause: 5 * time.Minute}}},
		{"login-limited", 429, view.Login{Destination: grafana, Username: "alice", RememberDays: 30,
			Attempts: view.Attempts{Wait: view.Wait{Until: now.Add(252 * time.Second), For: 252 * time.Second}}}},
		{"login-busy", 503, view.Login{Destination: grafana, Username: "alice",
			Problems: []view.Problem{{Key: "problem.busy"}}}},
		{"login-cookies", 400, view.Login{Destination: grafana, CookiesBlocked: true}},
		{"login-flow-gone", 200, view.Login{FlowGone: true, RememberDays: 1}},
		{"login-already", 200, view.Login{Destination: grafana,
			Already: view.Already{SignedIn: alice, Continue: "https://grafana.example.com/d/7?x=1"}}},
		{"continue", 200, view.Continue{Target: "/held", Host: "grafana.example.com", Fragment: "/d/7"}},
		{"logout", 200, view.LogoutAsk{Viewer: alice, Hosts: []string{"grafana.example.com", "orders.example.com"}}},
		{"signed-out", 200, view.SignedOut{Hosts: []string{"grafana.example.com"},
			Providers: []view.Link{{Name: "GitHub", URL: "https://github.com/logout"}}}},
		{"setup", 200, view.Setup{}},
		{"setup-wrong", 422, view.Setup{Token: "4h1x", Username: "alice", Email: "nope",
			Problems: []view.Problem{{Field: view.FieldEmail, Key: "problem.email"},
				{Field: view.FieldNew, Key: "problem.breached"}}}},
		{"setup-done", 200, view.SetupDone{Viewer: alice, Host: "localhost:8443"}},
		{"account", 200, view.Account{Viewer: alice, Email: "alice@example.com", Roles: []string{"admin", "editor"},
			PasswordChanged: now.Add(-900 * time.Hour), LastSignIn: now, Sessions: 3}},
		{"account-managed", 200, view.Account{Viewer: view.Viewer{Username: "bob"}, Sessions: 1, Managed: true}},
		{"sessions", 200, view.Sessions{Viewer: alice, Sessions: sessions}},
		{"sessions-one", 200, view.Sessions{Viewer: alice, Sessions: sessions[1:2], Ended: 2}},
		{"password", 200, view.PasswordChange{Viewer: alice}},
		{"password-wrong", 422, view.PasswordChange{Viewer: alice, KeepOthers: true,
			Problems: []view.Problem{{Field: view.FieldCurrent, Key: "problem.current_wrong"},
				{Field: view.FieldNew, Text: "This password appears in known breaches."}}}},
		{"password-changed", 200, view.PasswordChange{Viewer: alice, Changed: true}},
		{"confirm", 200, view.Confirm{Viewer: alice, Action: "confirm.end_sessions", Minutes: 10}},
		{"confirm-wrong", 401, view.Confirm{Viewer: alice, Action: "confirm.open", Host: "vault.example.com",
			Problems: []view.Problem{{Field: view.FieldPassword, Key: "problem.confirm_wrong"}}}},
		{"denied", 403, view.Denied{Viewer: alice, Host: "grafana.example.com", Path: "/admin",
			Code: identity.CodeRoleRequired, Reference: "R-7KQ2-X9FD"}},
		{"denied-reason", 403, view.Denied{Viewer: alice, Host: "grafana.example.com",
			Path: "/" + strings.Repeat("very-long-path/", 20), Code: identity.CodeRuleDenied,
			Reason: "Contractors may work from 8 to 18 only.", Reference: "R-7KQ2-X9FD"}},
		{"ended", 401, view.SessionEnded{LoginURL: "/.truxe/login?back=1", Resubmit: true, Host: "orders.example.com",
			Reference: "R-7KQ2-X9FD"}},
		{"ended-cross", 401, view.SessionEnded{LoginURL: "/.truxe/login", Host: "orders.example.com",
			Reference: "R-7KQ2-X9FD"}},
		{"frame", 401, view.FrameSignIn{LoginURL: "https://auth.example.com/.truxe/login?return=x",
			Host: "grafana.example.com"}},
		{"go-back", 200, view.SignedInGoBack{Viewer: alice, Host: "orders.example.com"}},
		{"launcher", 200, view.Launcher{Viewer: alice, Apps: apps, FlowGone: true}},
		{"launcher-empty", 200, view.Launcher{Viewer: alice}},
		{"app-down", 502, view.ErrorPage{Viewer: alice, Status: 502, Code: identity.CodeAppDown, Reference: "R-7KQ2-X9FD"}},
		{"app-down-form", 504, view.ErrorPage{Viewer: alice, Status: 504, Code: identity.CodeAppDown, Sent: true,
			Reference: "R-7KQ2-X9FD"}},
		{"app-down-stranger", 503, view.ErrorPage{Status: 503, Code: identity.CodeAppDown, Reference: "R-7KQ2-X9FD"}},
		{"unavailable", 503, view.ErrorPage{Status: 503, Code: identity.CodeStateUnavailable, Reference: "R-7KQ2-X9FD",
			RetryAfter: 62 * time.Second}},
	}
	for _, status := range []int{400, 404, 405, 429, 500, 502, 503} {
		list = append(list, story{"error-" + strings.ToLower(strings.ReplaceAll(http.StatusText(status), " ", "-")), status,
			view.ErrorPage{Status: status, Reference: "R-7KQ2-X9FD"}})
	}
	return append(list, factorStories()...)
}
