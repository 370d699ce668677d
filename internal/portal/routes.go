package portal

import (
	"net/http"
	"slices"
	"strings"
)

type methods = map[string]handler

// routes is every URL of the portal below its base path; assets are served beside it.
func routes() map[string]route {
	get, post, del := http.MethodGet, http.MethodPost, http.MethodDelete
	return map[string]route{
		"":                 {methods: methods{get: pageLauncher}, signed: true},
		"login":            {methods: methods{get: pageLogin, post: submitLogin}},
		"continue":         {methods: methods{get: pageContinue}},
		"callback":         {methods: methods{get: pageCallback}},
		"logout":           {methods: methods{get: pageLogout, post: submitLogout}},
		"setup":            {methods: methods{get: pageSetup, post: submitSetup}},
		"account":          {methods: methods{get: pageAccount}, signed: true},
		"account/sessions": {methods: methods{get: pageSessions, post: submitSessions}, signed: true},
		"account/password": {methods: methods{get: pagePassword, post: submitPassword}, signed: true},
		"confirm":          {methods: methods{get: pageConfirm, post: submitConfirm}, signed: true},

		"api/v1/login":           {methods: methods{post: apiLogin}},
		"api/v1/token":           {methods: methods{post: apiToken}},
		"api/v1/revoke":          {methods: methods{post: apiRevoke}},
		"api/v1/introspect":      {methods: methods{post: apiIntrospect}, signed: true},
		"api/v1/logout":          {methods: methods{post: apiLogout}, signed: true},
		"api/v1/userinfo":        {methods: methods{get: apiUserinfo}, signed: true},
		"api/v1/session":         {methods: methods{get: apiSession}},
		"api/v1/sessions":        {methods: methods{get: apiSessions, del: apiEndSessions}, signed: true},
		"api/v1/sessions/{id}":   {methods: methods{del: apiEndSession}, signed: true},
		"api/v1/password/change": {methods: methods{post: apiPasswordChange}, signed: true},

		"jwks.json":    {methods: methods{get: serveJWKS}, open: true},
		"health/live":  {methods: methods{get: healthLive}, open: true},
		"health/ready": {methods: methods{get: healthReady}, open: true},
	}
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
