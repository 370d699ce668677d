package view_test

import (
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

const (
	exampleKey = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	exampleURI = "otpauth://totp/Truxe:alice@example.com?secret=" + exampleKey + "&issuer=Truxe"
)

var exampleCodes = []string{"4XK7P-Q9RTM-H7W2D-VN8EC", "HJ2W8-ND5VC-9TKRX-4MFBA", "B6ZFY-3GKSA-PQ7HE-JW5D2",
	"TP9QX-7MEH4-2CVNK-R8GYS", "V8CDN-WR2JK-XB4TM-6FQHP",
	"2SGAB-Y5ZF6-N9KWV-E3JTR", "K4MVT-9XPQ8-DH6YC-GB2FZ", "QE3HR-6BJDW-7SXNA-K9PVM", "N7YCS-4FTGZ-W2MRE-HX8QB",
	"8RPKM-DV2XA-5ZJTF-C6NWY"}

// factorStories are the pages of second factors and the rest of the account.
func factorStories() []story {
	all := []string{view.MethodPasskey, view.MethodTOTP, view.MethodRecovery}
	wrong := []view.Problem{{Field: view.FieldCode, Key: "problem.code_wrong"}}
	keys := []view.Passkey{
		{ID: "k1", Name: "Alice's iPhone", Added: now.Add(-900 * time.Hour), LastUsed: now.Add(-2 * time.Hour),
			Synced: true},
		{ID: "k2", Name: "Blue security key", Added: now.Add(-40 * time.Hour)},
		{ID: "k3", Name: "Work laptop", Added: now.Add(-2000 * time.Hour), LastUsed: now.Add(-1500 * time.Hour),
			Suspect: true},
	}
	signal := view.PasskeySignal{RPID: "localhost", UserID: "dXNlcg", IDs: []string{"azE"}}
	events := []view.Event{
		{Name: "authn_login_success", Outcome: "success", Time: now, UserAgent: firefox, Address: "198.51.100.23",
			Host: "auth.example.com", Current: true},
		{Name: "authn_login_fail", Outcome: "failure", Time: now.Add(-3 * time.Hour), UserAgent: chrome,
			Address: "2001:db8:12:34::9", Host: "auth.example.com", Reference: "R-7KQ2-X9FD"},
		{Name: "authn_password_change", Outcome: "success", Time: now.Add(-30 * time.Hour), UserAgent: firefox,
			Address: "198.51.100.23"},
		{Name: "session_revoked", Outcome: "success", Time: now.Add(-31 * time.Hour), UserAgent: iphone,
			Address: "203.0.113.7", Host: "grafana.example.com"},
		{Name: "something_new", Time: now.Add(-500 * time.Hour)},
	}
	on := view.Factors{TOTP: now.Add(-800 * time.Hour), Passkeys: 2, RecoveryLeft: 8,
		RecoveryMade: now.Add(-800 * time.Hour), TrustedDevices: 2}
	few, none, must := on, view.Factors{}, view.Factors{Required: true}
	few.RecoveryLeft, few.Passkeys, few.TrustedDevices = 2, 0, 0
	account := view.Account{Viewer: alice, Email: "alice@example.com", Roles: []string{"admin", "editor"},
		PasswordChanged: now.Add(-900 * time.Hour), LastSignIn: now, Sessions: 3}
	with := func(f view.Factors) view.Account {
		a := account
		a.Factors, a.Recent = &f, events[:3]
		return a
	}
	saved := with(on)
	saved.Saved = true
	return []story{
		{"login-passkey", 200, view.Login{Destination: grafana, RememberDays: 30, Passkeys: true}},
		{"login-passkey-unknown", 401, view.Login{Destination: grafana, Passkeys: true,
			Problems: []view.Problem{{Key: "problem.passkey_wrong"}},
			Signal:   view.PasskeySignal{RPID: "localhost", Unknown: "azk"}}},

		{"mfa", 200, view.MFA{Account: alice, Destination: grafana, Method: view.MethodTOTP, Methods: all,
			TrustDays: 30, WayBack: view.WayBack{Return: "r1"}}},
		{"mfa-wrong", 401, view.MFA{Account: alice, Destination: grafana,
			Methods: []string{view.MethodTOTP, view.MethodRecovery}, TrustDays: 30, Trust: true, Problems: wrong,
			Attempts: view.Attempts{TriesLeft: 3, Pause: 5 * time.Minute}}},
		{"mfa-limited", 429, view.MFA{Account: alice, Methods: all, Method: view.MethodTOTP,
			Attempts: view.Attempts{Wait: view.Wait{Until: now.Add(time.Minute), For: time.Minute}}}},
		{"mfa-passkey", 200, view.MFA{Account: alice, Destination: view.Destination{App: "Grafana"}, Methods: all,
			TrustDays: 30}},
		{"mfa-passkey-wrong", 401, view.MFA{Account: alice, Methods: all,
			Problems: []view.Problem{{Key: "problem.passkey_wrong"}}}},
		{"mfa-recovery", 200, view.MFA{Account: alice, Destination: grafana, Methods: all,
			Method: view.MethodRecovery}},
		{"mfa-recovery-wrong", 401, view.MFA{Account: alice, Methods: all, Method: view.MethodRecovery,
			Problems: []view.Problem{{Field: view.FieldCode, Key: "problem.recovery_wrong"}},
			Attempts: view.Attempts{TriesLeft: 1, Pause: 5 * time.Minute}}},
		{"mfa-recovery-used", 200, view.RecoveryUsed{Viewer: alice, Left: 7, Continue: "/x", Destination: grafana}},
		{"mfa-recovery-few", 200, view.RecoveryUsed{Viewer: alice, Left: 1}},

		{"enrol", 200, view.Enrol{Account: alice, Destination: grafana,
			Methods: []string{view.MethodPasskey, view.MethodTOTP}}},
		{"enrol-totp", 200, view.TOTP{Viewer: alice, Forced: true, Key: exampleKey, URI: exampleURI, QR: qrModules(),
			Return: "r1"}},
		{"enrol-totp-wrong", 422, view.TOTP{Viewer: alice, Forced: true, Key: exampleKey, URI: exampleURI, QR: qrModules(),
			Problems: []view.Problem{{Field: view.FieldCode, Key: "problem.clock_slow", N: 3}}}},
		{"enrol-passkey", 200, view.Passkeys{Viewer: alice, Forced: true}},
		{"enrol-codes", 200, view.RecoveryCodes{Viewer: alice, Forced: true, Codes: slices.Clone(exampleCodes), Made: now,
			Left: 10, Host: "auth.example.com", Return: "r1"}},

		{"totp", 200, view.TOTP{Viewer: alice, Key: exampleKey, URI: exampleURI, QR: qrModules()}},
		{"totp-wrong", 422, view.TOTP{Viewer: alice, Key: exampleKey, URI: exampleURI, QR: qrModules(), Problems: wrong}},
		{"totp-on", 200, view.TOTP{Viewer: alice, Added: now.Add(-800 * time.Hour), Used: now.Add(-time.Hour)}},
		{"totp-remove", 200, view.TOTP{Viewer: alice, Added: now.Add(-800 * time.Hour), Remove: true}},
		{"totp-required", 409, view.TOTP{Viewer: alice, Added: now.Add(-800 * time.Hour), Remove: true, Required: true,
			Problems: []view.Problem{{Key: "problem.factor_required"}}}},
		{"totp-removed", 200, view.TOTP{Viewer: alice, Removed: true, Key: exampleKey, URI: exampleURI, QR: qrModules()}},

		{"codes-new", 200, view.RecoveryCodes{Viewer: alice, Codes: slices.Clone(exampleCodes), Made: now, Left: 10,
			Host: "auth.example.com"}},
		{"codes-unsaved", 422, view.RecoveryCodes{Viewer: alice, Codes: slices.Clone(exampleCodes), Made: now, Left: 10,
			Problems: []view.Problem{{Field: view.FieldSaved, Key: "problem.saved_missing"}}}},
		{"codes", 200, view.RecoveryCodes{Viewer: alice, Made: now.Add(-800 * time.Hour), Left: 8}},
		{"codes-few", 200, view.RecoveryCodes{Viewer: alice, Made: now.Add(-800 * time.Hour), Left: 2}},
		{"codes-ask", 200, view.RecoveryCodes{Viewer: alice, Made: now.Add(-800 * time.Hour), Left: 8, Ask: true}},
		{"codes-none", 200, view.RecoveryCodes{Viewer: alice}},
		{"codes-no-factor", 200, view.RecoveryCodes{Viewer: alice, NoFactor: true}},

		{"passkeys", 200, view.Passkeys{Viewer: alice, Passkeys: keys, Host: "auth.example.com", RecoveryLeft: 8,
			Signal: signal}},
		{"passkeys-none", 200, view.Passkeys{Viewer: alice, Host: "auth.example.com"}},
		{"passkeys-added", 200, view.Passkeys{Viewer: alice, Passkeys: keys[:1],
			PasskeyChange: view.PasskeyChange{Added: "k1", Rename: "k1"},
			Host:          "auth.example.com"}},
		{"passkeys-rename-wrong", 422, view.Passkeys{Viewer: alice, Passkeys: keys,
			PasskeyChange: view.PasskeyChange{Rename: "k2"}, RecoveryLeft: 8,
			Problems: []view.Problem{{Field: view.FieldName, Key: "problem.passkey_name"}}}},
		{"passkeys-remove", 200, view.Passkeys{Viewer: alice, Passkeys: keys,
			PasskeyChange: view.PasskeyChange{Remove: "k2"}, RecoveryLeft: 8}},
		{"passkeys-last", 409, view.Passkeys{Viewer: alice, Passkeys: keys[:1], RecoveryLeft: 8,
			Problems: []view.Problem{{Key: "problem.last_method"}}}},
		{"passkeys-removed", 200, view.Passkeys{Viewer: alice, Passkeys: keys[1:2], RecoveryLeft: 8,
			PasskeyChange: view.PasskeyChange{Removed: true, Renamed: true}}},
		{"passkeys-elsewhere", 200, view.Passkeys{Viewer: alice, Elsewhere: "https://auth.example.com"}},

		{"account-safe", 200, saved},
		{"account-few-codes", 200, with(few)},
		{"account-no-factor", 200, with(none)},
		{"account-must", 200, with(must)},
		{"profile", 200, view.Profile{Viewer: alice, Name: "Alice Archer", Email: "alice@example.com"}},
		{"profile-wrong", 422, view.Profile{Viewer: alice, Email: "nope",
			Problems: []view.Problem{{Field: view.FieldEmail, Key: "problem.email"}}}},
		{"profile-pending", 200, view.Profile{Viewer: alice, Email: "alice@example.com", Pending: "alice@example.org",
			Saved: true}},
		{"profile-managed", 200, view.Profile{Viewer: alice, Name: "Alice Archer", Email: "alice@example.com",
			Managed: true}},
		{"policies", 200, view.Policies{Viewer: alice, Dir: "./policies", Digest: "3f9a0c1b2d3e",
			Since: now.Add(-time.Hour),
			More:  3, Rules: []view.Rule{
				{ID: "orders-read", Effect: "allow", About: []string{"orders.example.com", "GET", "/orders/**"},
					Asks: []string{"permission orders:read"}, Place: "policies/orders.yaml:7:5"},
				{ID: "admin-mfa", Effect: "require", About: []string{"/admin/**"}, Asks: []string{"mfa", "max_age 10m0s"},
					Reason: "Admin pages need a second factor.", Report: true, Place: "policies/orders.yaml:18:5"},
				{ID: "night", Effect: "deny", When: `request.time.getHours("Europe/Berlin") < 6`, Place: "policies/hours.yaml:3:5"},
				{ID: "caddyfile:public#1", Effect: "public", About: []string{"/healthz"}, Place: "Caddyfile"}},
			User: "vic", Method: "GET", URL: "https://orders.example.com/admin/keys",
			Answer: &view.Answer{Decision: "step_up", Code: "mfa_required", Remedy: "After a second factor: allow.", More: 1,
				Steps: []view.RuleStep{{Effect: "require", Rule: "admin-mfa", Outcome: "UNMET",
					Why: "this session has only a password", Place: "policies/orders.yaml:18:5"},
					{Effect: "allow", Rule: "orders-read", Outcome: "yes", Why: "orders:read through role viewer",
						Place: "policies/orders.yaml:7:5"}}}}},
		{"policies-stale", 200, view.Policies{Viewer: alice, Dir: "/etc/truxe/policies", Digest: "3f9a0c1b2d3e",
			Since:    now.Add(-time.Hour),
			Problem:  `policies/orders.yaml:14:7: unknown role "edtors" in rule "orders-write"; did you mean "editor"?`,
			Problems: []view.Problem{{Field: view.FieldURL, Text: "The URL is not a whole one."}}}},
		{"policies-none", 200, view.Policies{Viewer: alice, Answer: &view.Answer{Decision: "allow"}}},
		{"activity", 200, view.Activity{Viewer: alice, Events: events, Older: "/.truxe/account/activity?cursor=7"}},
		{"activity-none", 200, view.Activity{Viewer: alice, Newer: "/.truxe/account/activity"}},
		{"trusted", 200, view.TrustedDevices{Viewer: alice, Days: 30, Ended: 1, Devices: []view.TrustedDevice{
			{ID: "t1", UserAgent: firefox, Address: "198.51.100.23", Added: now.Add(-90 * time.Hour), LastUsed: now,
				Expires: now.Add(600 * time.Hour), Current: true},
			{ID: "t2", UserAgent: iphone, Address: "203.0.113.7", Added: now.Add(-190 * time.Hour),
				Expires: now.Add(500 * time.Hour)}}}},
		{"trusted-none", 200, view.TrustedDevices{Viewer: alice, Days: 30}},

		{"confirm-passkey", 200, view.Confirm{Viewer: alice, Action: "confirm.open", Host: "vault.example.com",
			Methods: []string{view.MethodPasskey, view.MethodTOTP, view.MethodPassword}, Minutes: 10, Return: "r1"}},
		{"confirm-totp-wrong", 422, view.Confirm{Viewer: alice, Action: "confirm.recovery_codes", Method: view.MethodTOTP,
			Methods: []string{view.MethodPasskey, view.MethodTOTP}, Problems: wrong, TriesLeft: 2, Pause: 5 * time.Minute}},
		{"confirm-missing", 200, view.Confirm{Viewer: alice, Action: "confirm.open", Host: "vault.example.com",
			Missing: view.MethodPasskey}},
		{"confirm-elsewhere", 200, view.Confirm{Viewer: alice, Action: "confirm.add_passkey", Missing: "elsewhere"}},
		{"confirm-missing-factor", 200, view.Confirm{Viewer: alice, Action: "confirm.open", Host: "vault.example.com",
			Missing: view.MethodTOTP}},
		{"step-up", 401, view.StepUp{Viewer: alice, Host: "vault.example.com", ConfirmURL: "/.truxe/confirm?r=back",
			Resubmit: true, Reference: "R-7KQ2-X9FD"}},
		{"step-up-cross", 401, view.StepUp{Viewer: alice, Host: "vault.example.com", ConfirmURL: "/.truxe/confirm",
			Reference: "R-7KQ2-X9FD"}},
		{"confirmed", 200, view.SignedInGoBack{Viewer: alice, Host: "vault.example.com", Confirmed: true}},
	}
}
