package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/gateway"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminPath is where `caddy truxe …` talks to the running gateway: POST adminPath + call name, JSON in and out.
const adminPath = "/truxe/"

// adminAPI serves the command line on Caddy's admin endpoint. Who reaches that endpoint owns the whole configuration,
// so there is no further sign-in; every change is audited, and no stored secret is ever returned.
type adminAPI struct{}

// CaddyModule names the router.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.truxe", New: func() caddy.Module { return adminAPI{} }}
}

// Routes registers one pattern; calls are told apart by name.
func (a adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminPath, Handler: caddy.AdminHandlerFunc(a.serve)}}
}

func (adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: errors.New("method not allowed")}
	}
	g := activeGateway()
	if g == nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable,
			Err: errors.New("the running configuration has no truxe gateway, or it is still starting")}
	}
	call := strings.TrimPrefix(r.URL.Path, adminPath)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody(call)))
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusRequestEntityTooLarge, Err: errors.New("request too large")}
	}
	result, err := g.Console().Call(r.Context(), console.CommandLine, call, body)
	if err != nil {
		var known *identity.Error
		if errors.As(err, &known) {
			return caddy.APIError{HTTPStatus: problem.Status(known.Code), Err: errors.New(wording(known))}
		}
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(result)
}

// maxBody bounds a call: two folders of policy files (rules.ReadDir) are the largest that is ever sent.
func maxBody(call string) int64 {
	if call == "policy.diff" {
		return 96 << 20
	}
	return 1 << 20
}

// wording is what the command line shows: the words for users, or the cause if there are none.
func wording(e *identity.Error) string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Error()
}

// activeGateway looks the app up at each request: after a rejected reload the context of provisioning is dead, the
// live app is not (CADDY-FACTS section 4).
func activeGateway() *gateway.Gateway {
	mod, err := caddy.ActiveContext().AppIfConfigured("truxe")
	if err != nil {
		return nil
	}
	app, ok := mod.(*App)
	if !ok || app == nil {
		return nil
	}
	return app.gateway()
}

var _ caddy.AdminRouter = adminAPI{}
