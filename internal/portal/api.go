package portal

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/strictjson"
)

// readJSON reads a request body strictly (AP-03).
func (c *call) readJSON(into any) error {
	raw, err := c.readRaw()
	if err != nil {
		return err
	}
	if err := strictjson.Decode(raw, into, strictjson.Options{}); err != nil {
		return bad("The body is not the JSON this call takes: " + err.Error())
	}
	return nil
}

// readRaw reads a body that is a JSON object, without looking into it.
func (c *call) readRaw() ([]byte, error) {
	media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, bad("Send JSON with Content-Type: application/json.")
	}
	raw, err := io.ReadAll(c.r.Body)
	if err != nil {
		return nil, bad("The body is larger than 1 MiB, or did not come within 10 seconds.")
	}
	if text := bytes.TrimSpace(raw); len(text) == 0 || text[0] != '{' {
		return nil, bad("The body is not a JSON object.")
	}
	return raw, nil
}

// readEmpty takes no body, or an object without members: what a script's fetch sends when there is nothing to say.
func (c *call) readEmpty() error {
	if c.r.ContentLength == 0 {
		return nil
	}
	return c.readJSON(&struct{}{})
}

// readForm reads an RFC 6749 form: the body only, never the URL, each parameter once.
func (c *call) readForm() (map[string]string, error) {
	media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, bad("Send a form with Content-Type: application/x-www-form-urlencoded.")
	}
	if err := c.r.ParseForm(); err != nil {
		return nil, bad("The form could not be read, is larger than 1 MiB, or did not come within 10 seconds.")
	}
	form := map[string]string{}
	for name, values := range c.r.PostForm {
		if len(values) != 1 {
			return nil, bad("A parameter stands more than once.")
		}
		form[name] = values[0]
	}
	return form, nil
}

func bad(detail string) error {
	return &identity.Error{Code: identity.CodeInvalidRequest, Detail: detail}
}

func (c *call) json(status int, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store") // RFC 6749 5.1
	h.Set("X-Content-Type-Options", "nosniff")
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(append(raw, '\n'))
	}
	return nil
}

func (c *call) noContent() error {
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func apiToken(c *call) error {
	form, err := c.readForm()
	if err != nil {
		return c.oauthError(err)
	}
	switch grant := form["grant_type"]; {
	case grant == "":
		return c.oauthError(bad("grant_type is missing."))
	case grant != "refresh_token":
		return c.oauthProblem(http.StatusBadRequest, "unsupported_grant_type", "This grant type is not supported; use refresh_token.")
	case form["refresh_token"] == "":
		return c.oauthError(bad("refresh_token is missing."))
	}
	tokens, err := c.SignIn.Tokens.Refresh(c.ctx(), c.by(), form["refresh_token"])
	if err != nil {
		return c.oauthError(err)
	}
	return c.json(http.StatusOK, map[string]any{"access_token": tokens.Access, "token_type": "Bearer",
		"expires_in": int(tokens.ExpiresIn.Seconds()), "refresh_token": tokens.Refresh})
}

// oauthError gives RFC 6749 5.2 clients their `error` member beside problem+json.
func (c *call) oauthError(err error) error {
	known, ok := asError(err)
	if !ok || known.Code != identity.CodeInvalidGrant && known.Code != identity.CodeInvalidRequest {
		return err
	}
	return c.oauthProblem(http.StatusBadRequest, string(known.Code), known.Detail)
}

func (c *call) oauthProblem(status int, code, detail string) error {
	c.w.Header().Set("Content-Type", "application/problem+json")
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(status)
	return json.NewEncoder(c.w).Encode(map[string]any{"type": "urn:truxe:problem:" + code, "title": http.StatusText(status), "status": status,
		"detail": detail, "code": code, "reference": identity.NewReference(), "error": code, "error_description": detail})
}

// apiRevoke is RFC 7009: holding the token is enough, and an unknown one is no error.
func apiRevoke(c *call) error {
	form, err := c.readForm()
	if err != nil {
		return c.oauthError(err)
	}
	raw := form["token"]
	if raw == "" {
		return c.oauthError(bad("token is missing."))
	}
	if strings.HasPrefix(raw, "trx_rt_") {
		err = c.SignIn.Tokens.RevokeRefresh(c.ctx(), c.by(), raw)
	} else if e, _, findErr := c.Verifier.Tokens.Find(c.ctx(), raw); findErr == nil {
		err = c.SignIn.Tokens.Revoke(c.ctx(), c.by(), e.Principal)
	} else if identity.CodeOf(findErr) == identity.CodeStateUnavailable {
		err = findErr
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, struct{}{})
}

// apiIntrospect is RFC 7662. An inactive token is told apart from nothing else (RT-09).
func apiIntrospect(c *call) error {
	if err := c.needs("truxe:tokens:introspect"); err != nil {
		return err
	}
	form, err := c.readForm()
	if err != nil {
		return c.oauthError(err)
	}
	if form["token"] == "" {
		return c.oauthError(bad("token is missing."))
	}
	inactive := map[string]any{"active": false}
	if strings.HasPrefix(form["token"], "trx_rt_") {
		active, err := c.SignIn.Tokens.Active(c.ctx(), form["token"])
		if err != nil || !active {
			return orJSON(c, err, inactive)
		}
		return c.json(http.StatusOK, map[string]any{"active": true, "token_type": "refresh_token"})
	}
	e, _, err := c.Verifier.Tokens.Find(c.ctx(), form["token"])
	if err != nil || c.Verifier.Revocations.Refused(e.Principal) != "" {
		if identity.CodeOf(err) == identity.CodeStateUnavailable {
			return err
		}
		return c.json(http.StatusOK, inactive)
	}
	out := c.claims(e.Principal)
	out["active"], out["token_type"] = true, "Bearer"
	return c.json(http.StatusOK, out)
}

func orJSON(c *call, err error, body any) error {
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, body)
}

// claims are what the gateway knows about a principal, under the names of its access tokens.
func (c *call) claims(p *identity.Principal) map[string]any {
	out := map[string]any{"sub": p.UserID, "preferred_username": p.Username, "email": p.Email, "name": p.Name, "roles": notNil(p.Roles),
		"amr": notNil(p.AMR), "acr": p.ACR, "sid": p.SessionID, "exp": p.Expires.Unix(), "auth_time": p.AuthTime.Unix()}
	if list, ok := c.People.Model().Claim(p.Roles); ok {
		out["permissions"] = list
	} else {
		out["permissions_omitted"] = true
	}
	if p.TokenID != "" {
		out["jti"], out["client_id"] = p.TokenID, p.ClientID
	}
	return out
}

func apiUserinfo(c *call) error { return c.json(http.StatusOK, c.claims(c.entry.Principal)) }

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return slices.Clone(list)
}
