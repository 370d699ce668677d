package portal

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/portal/api"
	"github.com/truxeio/caddy-truxe/internal/portal/pages"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// routes returns every URL of the portal below its base path; assets are served beside it.
func routes() map[string]web.Route {
	callback := new(pages.Callback)
	get, post, put, patch, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	// a page of one's own account
	own := func(m web.Methods) web.Route { return web.Route{Methods: m, Signed: true, Portal: true} }
	needs := func(permission string, m web.Methods) web.Route {
		return web.Route{Methods: m, Signed: true, Needs: permission}
	}
	signed := func(m web.Methods) web.Route { return web.Route{Methods: m, Signed: true} }
	return map[string]web.Route{
		"":         signed(web.Methods{get: pages.Launcher}),
		"login":    {Methods: web.Methods{get: pages.Login, post: pages.SubmitLogin}},
		"mfa":      {Methods: web.Methods{get: pages.MFA, post: pages.SubmitMFA}, Portal: true},
		"continue": {Methods: web.Methods{get: pages.Continue}},
		"callback": {Methods: web.Methods{get: callback.Show}, Finally: callback.DropTicket},
		"logout":   {Methods: web.Methods{get: pages.Logout, post: pages.SubmitLogout}},
		"setup":    {Methods: web.Methods{get: pages.Setup, post: pages.SubmitSetup}},
		"confirm":  signed(web.Methods{get: pages.Confirm, post: pages.SubmitConfirm}),

		"account":                own(web.Methods{get: pages.Account, post: pages.SubmitAccount}),
		"account/profile":        own(web.Methods{get: pages.Profile, post: pages.SubmitProfile}),
		"account/password":       own(web.Methods{get: pages.Password, post: pages.SubmitPassword}),
		"account/totp":           own(web.Methods{get: pages.TOTP, post: pages.SubmitTOTP}),
		"account/passkeys":       own(web.Methods{get: pages.Passkeys, post: pages.SubmitPasskeys}),
		"account/recovery-codes": own(web.Methods{get: pages.Recovery, post: pages.SubmitRecovery}),
		"account/sessions":       own(web.Methods{get: pages.Sessions, post: pages.SubmitSessions}),
		"account/devices":        own(web.Methods{get: pages.Devices, post: pages.SubmitDevices}),
		"account/activity":       own(web.Methods{get: pages.Activity}),
		"admin/policies": {Methods: web.Methods{get: pages.Policies, post: pages.SubmitPolicies},
			Signed: true, Portal: true, Needs: web.PoliciesRead},

		"api/v1/login":                 {Methods: web.Methods{post: api.Login}},
		"api/v1/login/mfa":             {Methods: web.Methods{post: api.LoginMFA}},
		"api/v1/login/mfa/enrol":       {Methods: web.Methods{post: api.LoginEnrol}},
		"api/v1/login/passkey/begin":   {Methods: web.Methods{post: api.PasskeySignInBegin}},
		"api/v1/login/passkey/finish":  {Methods: web.Methods{post: api.PasskeySignInFinish}},
		"api/v1/token":                 {Methods: web.Methods{post: api.Token}},
		"api/v1/revoke":                {Methods: web.Methods{post: api.Revoke}},
		"api/v1/introspect":            needs(web.TokensIntrospect, web.Methods{post: api.Introspect}),
		"api/v1/logout":                {Methods: web.Methods{post: api.Logout}},
		"api/v1/userinfo":              {Methods: web.Methods{get: api.Userinfo}, Signed: true, Passive: true},
		"api/v1/session":               {Methods: web.Methods{get: api.Session}, Caller: true, Passive: true},
		"api/v1/sessions":              signed(web.Methods{get: api.Sessions, del: api.EndSessions}),
		"api/v1/sessions/{id}":         signed(web.Methods{del: api.EndSession}),
		"api/v1/confirm":               signed(web.Methods{get: api.ConfirmMethods, post: api.Confirm}),
		"api/v1/confirm/passkey/begin": signed(web.Methods{post: api.ConfirmPasskeyBegin}),
		"api/v1/mfa/totp":              signed(web.Methods{post: api.TOTPBegin, del: api.TOTPRemove}),
		"api/v1/mfa/totp/confirm":      signed(web.Methods{post: api.TOTPConfirm}),
		"api/v1/mfa/recovery-codes":    signed(web.Methods{post: api.RecoveryCodes}),
		"api/v1/mfa/passkeys":          signed(web.Methods{get: api.Passkeys}),
		"api/v1/mfa/passkeys/begin":    signed(web.Methods{post: api.PasskeyBegin}),
		"api/v1/mfa/passkeys/finish":   signed(web.Methods{post: api.PasskeyFinish}),
		"api/v1/mfa/passkeys/{id}":     signed(web.Methods{patch: api.PasskeyRename, del: api.PasskeyRemove}),
		"api/v1/mfa/devices":           signed(web.Methods{get: api.Devices, del: api.ForgetDevices}),
		"api/v1/mfa/devices/{id}":      signed(web.Methods{del: api.ForgetDevice}),
		"api/v1/password/change":       signed(web.Methods{post: api.PasswordChange}),
		"api/v1/account/export":        signed(web.Methods{get: api.Export}),
		"api/v1/check": {Methods: web.Methods{get: api.Check, post: api.CheckAll},
			Signed: true, Passive: true},

		"api/v1/apps":                   signed(web.Methods{get: api.Apps}),
		"api/v1/admin/policies":         needs(web.PoliciesRead, web.Methods{get: api.Policies}),
		"api/v1/admin/policies/explain": needs(web.PoliciesRead, web.Methods{post: api.Explain}),
		"api/v1/admin/roles":            needs(web.RolesRead, web.Methods{get: api.Roles}),
		"api/v1/admin/roles/{role}":     needs(web.RolesRead, web.Methods{get: api.Role}),
		"api/v1/admin/users/{id}/roles/{role}": needs(web.RolesWrite,
			web.Methods{put: api.GrantRole, del: api.RevokeRole}),

		"jwks.json":    {Methods: web.Methods{get: api.JWKS}, Open: true},
		"health/live":  {Methods: web.Methods{get: api.HealthLive}, Open: true},
		"health/ready": {Methods: web.Methods{get: api.HealthReady}, Open: true},
	}
}

// Route is one URL of the portal for those who want to see them all: what a test walks cannot be forgotten.
type Route struct {
	Path    string // below the base path; {id} and {role} stand for one segment each
	Methods []string
	Signed  bool   // needs a signed-in caller
	Open    bool   // asks nothing of the caller
	Needs   string // a permission that the caller must hold
}

// Routes lists every URL that is registered, by path.
func Routes() []Route {
	var list []Route
	for path, r := range routes() {
		list = append(list, Route{Path: path, Methods: slices.Sorted(maps.Keys(r.Methods)), Signed: r.Signed,
			Open: r.Open, Needs: r.Needs})
	}
	slices.SortFunc(list, func(a, b Route) int { return strings.Compare(a.Path, b.Path) })
	return list
}
