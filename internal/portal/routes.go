package portal

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

type methods = map[string]handler

// routes is every URL of the portal below its base path; assets are served beside it.
func routes() map[string]route {
	get, post, put, patch, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	own := func(m methods) route { return route{methods: m, signed: true, portal: true} } // a page of one's own account
	signed := func(m methods) route { return route{methods: m, signed: true} }
	return map[string]route{
		"":         signed(methods{get: pageLauncher}),
		"login":    {methods: methods{get: pageLogin, post: submitLogin}},
		"mfa":      {methods: methods{get: pageMFA, post: submitMFA}, portal: true},
		"continue": {methods: methods{get: pageContinue}},
		"callback": {methods: methods{get: pageCallback}},
		"logout":   {methods: methods{get: pageLogout, post: submitLogout}},
		"setup":    {methods: methods{get: pageSetup, post: submitSetup}},
		"confirm":  signed(methods{get: pageConfirm, post: submitConfirm}),

		"account":                own(methods{get: pageAccount, post: submitAccount}),
		"account/profile":        own(methods{get: pageProfile, post: submitProfile}),
		"account/password":       own(methods{get: pagePassword, post: submitPassword}),
		"account/totp":           own(methods{get: pageTOTP, post: submitTOTP}),
		"account/passkeys":       own(methods{get: pagePasskeys, post: submitPasskeys}),
		"account/recovery-codes": own(methods{get: pageRecovery, post: submitRecovery}),
		"account/sessions":       own(methods{get: pageSessions, post: submitSessions}),
		"account/devices":        own(methods{get: pageDevices, post: submitDevices}),
		"account/activity":       own(methods{get: pageActivity}),
		"admin/policies":         own(methods{get: pagePolicies, post: submitPolicies}),

		"api/v1/login":                 {methods: methods{post: apiLogin}},
		"api/v1/login/mfa":             {methods: methods{post: apiLoginMFA}},
		"api/v1/login/mfa/enrol":       {methods: methods{post: apiLoginEnrol}},
		"api/v1/login/passkey/begin":   {methods: methods{post: apiPasskeySignInBegin}},
		"api/v1/login/passkey/finish":  {methods: methods{post: apiPasskeySignInFinish}},
		"api/v1/token":                 {methods: methods{post: apiToken}},
		"api/v1/revoke":                {methods: methods{post: apiRevoke}},
		"api/v1/introspect":            signed(methods{post: apiIntrospect}),
		"api/v1/logout":                {methods: methods{post: apiLogout}},
		"api/v1/userinfo":              {methods: methods{get: apiUserinfo}, signed: true, passive: true},
		"api/v1/session":               {methods: methods{get: apiSession}, caller: true, passive: true},
		"api/v1/sessions":              signed(methods{get: apiSessions, del: apiEndSessions}),
		"api/v1/sessions/{id}":         signed(methods{del: apiEndSession}),
		"api/v1/confirm":               signed(methods{get: apiConfirmMethods, post: apiConfirm}),
		"api/v1/confirm/passkey/begin": signed(methods{post: apiConfirmPasskeyBegin}),
		"api/v1/mfa/totp":              signed(methods{post: apiTOTPBegin, del: apiTOTPRemove}),
		"api/v1/mfa/totp/confirm":      signed(methods{post: apiTOTPConfirm}),
		"api/v1/mfa/recovery-codes":    signed(methods{post: apiRecoveryCodes}),
		"api/v1/mfa/passkeys":          signed(methods{get: apiPasskeys}),
		"api/v1/mfa/passkeys/begin":    signed(methods{post: apiPasskeyBegin}),
		"api/v1/mfa/passkeys/finish":   signed(methods{post: apiPasskeyFinish}),
		"api/v1/mfa/passkeys/{id}":     signed(methods{patch: apiPasskeyRename, del: apiPasskeyRemove}),
		"api/v1/mfa/devices":           signed(methods{get: apiDevices, del: apiForgetDevices}),
		"api/v1/mfa/devices/{id}":      signed(methods{del: apiForgetDevice}),
		"api/v1/password/change":       signed(methods{post: apiPasswordChange}),
		"api/v1/account/export":        signed(methods{get: apiExport}),
		"api/v1/check":                 {methods: methods{get: apiCheck, post: apiCheckAll}, signed: true, passive: true},

		"api/v1/apps":                          signed(methods{get: apiApps}),
		"api/v1/admin/policies":                signed(methods{get: apiPolicies}),
		"api/v1/admin/policies/explain":        signed(methods{post: apiExplain}),
		"api/v1/admin/roles":                   signed(methods{get: apiRoles}),
		"api/v1/admin/roles/{role}":            signed(methods{get: apiRole}),
		"api/v1/admin/users/{id}/roles/{role}": signed(methods{put: apiGrantRole, del: apiRevokeRole}),

		"jwks.json":    {methods: methods{get: serveJWKS}, open: true},
		"health/live":  {methods: methods{get: healthLive}, open: true},
		"health/ready": {methods: methods{get: healthReady}, open: true},
	}
}

// Route is one URL of the portal for those who want to see them all: what a test walks cannot be forgotten.
type Route struct {
	Path    string // below the base path; {id} and {role} stand for one segment each
	Methods []string
	Signed  bool // needs a signed-in caller
	Open    bool // asks nothing of the caller
}

// Routes lists every URL that is registered, by path.
func Routes() []Route {
	var list []Route
	for path, r := range routes() {
		list = append(list, Route{Path: path, Methods: slices.Sorted(maps.Keys(r.methods)), Signed: r.signed, Open: r.open})
	}
	slices.SortFunc(list, func(a, b Route) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// allowed is the Allow field of a 405 (RFC 9110 15.5.6).
func allowed(r route) string {
	var list []string
	for m := range r.methods {
		list = append(list, m)
		if m == http.MethodGet {
			list = append(list, http.MethodHead)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
