// Package api is the JSON API for programs, and what machines read besides it: keys, health, well-known URLs. Handlers
// are thin: they read a call, ask the rooms below and write their answer.
package api

import (
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/portal/wire"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// Token renews tokens (RFC 6749 section 6).
func Token(c *web.Call) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return oauthError(c, err)
	}
	switch grant := form.Get("grant_type"); {
	case grant == "":
		return oauthError(c, identity.Invalid("grant_type is missing."))
	case grant != "refresh_token":
		problem.WriteOAuth(c.W, problem.Problem{Code: "unsupported_grant_type",
			Title:  problem.Title(identity.CodeInvalidRequest),
			Detail: "This grant type is not supported; use refresh_token.",
			Remedy: problem.Remedy(identity.CodeInvalidRequest)})
		return nil
	case form.Get("refresh_token") == "":
		return oauthError(c, identity.Invalid("refresh_token is missing."))
	}
	tokens, err := c.SignIn.Tokens.Refresh(c.Context(), c.By(), form.Get("refresh_token"))
	if err != nil {
		return oauthError(c, err)
	}
	return c.JSON(http.StatusOK, map[string]any{"access_token": tokens.Access, "token_type": problem.Bearer,
		"expires_in": int(tokens.ExpiresIn.Seconds()), "refresh_token": tokens.Refresh})
}

// oauthError answers an error that OAuth clients know with the members they read (RFC 6749 section 5.2), and returns
// any other.
func oauthError(c *web.Call, err error) error {
	known, ok := web.KnownError(err)
	if !ok || known.Code != identity.CodeInvalidGrant && known.Code != identity.CodeInvalidRequest {
		return err
	}
	problem.WriteOAuth(c.W, problem.Problem{Code: known.Code, Detail: known.Detail})
	return nil
}

// Revoke is RFC 7009: holding the token is enough, and an unknown one is no error.
func Revoke(c *web.Call) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return oauthError(c, err)
	}
	raw := form.Get("token")
	if raw == "" {
		return oauthError(c, identity.Invalid("token is missing."))
	}
	if strings.HasPrefix(raw, "trx_rt_") {
		err = c.SignIn.Tokens.RevokeRefresh(c.Context(), c.By(), raw)
	} else if e, _, findErr := c.Verifier.Tokens.Find(c.Context(), raw); findErr == nil {
		err = c.SignIn.Tokens.Revoke(c.Context(), c.By(), e.Principal)
	} else if identity.CodeOf(findErr) == identity.CodeStateUnavailable {
		err = findErr
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct{}{})
}

// Introspect is RFC 7662. An inactive token is told apart from nothing else (RT-09).
func Introspect(c *web.Call) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return oauthError(c, err)
	}
	if form.Get("token") == "" {
		return oauthError(c, identity.Invalid("token is missing."))
	}
	inactive := map[string]any{"active": false}
	if strings.HasPrefix(form.Get("token"), "trx_rt_") {
		active, err := c.SignIn.Tokens.Active(c.Context(), form.Get("token"))
		if err != nil || !active {
			return orJSON(c, err, inactive)
		}
		return c.JSON(http.StatusOK, map[string]any{"active": true, "token_type": "refresh_token"})
	}
	e, _, err := c.Verifier.Tokens.Find(c.Context(), form.Get("token"))
	if err != nil || c.Verifier.Revocations.Refused(e.Principal) != "" {
		if identity.CodeOf(err) == identity.CodeStateUnavailable {
			return err
		}
		return c.JSON(http.StatusOK, inactive)
	}
	out := claims(c, e.Principal)
	out["active"], out["token_type"] = true, "Bearer"
	return c.JSON(http.StatusOK, out)
}

func orJSON(c *web.Call, err error, body any) error {
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, body)
}

// claims are what the gateway knows about a principal, under the names of its access tokens.
func claims(c *web.Call, p *identity.Principal) map[string]any {
	out := map[string]any{"sub": p.UserID, "preferred_username": p.Username, "email": p.Email, "name": p.Name,
		"roles": wire.Strings(p.Roles),
		"amr":   wire.Strings(p.AMR), "acr": p.ACR, "sid": p.SessionID, "exp": p.Expires.Unix(),
		"auth_time": p.AuthTime.Unix()}
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

// Userinfo answers with what the gateway knows about the caller.
func Userinfo(c *web.Call) error { return c.JSON(http.StatusOK, claims(c, c.Entry.Principal)) }
