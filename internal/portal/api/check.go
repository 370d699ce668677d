package api

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// maxChecks bounds the items of a batch.
const maxChecks = 100

// checkItem asks for a request or for a permission.
type checkItem struct {
	Method     string `json:"method"`
	Path       string `json:"path"`
	Host       string `json:"host"`
	Permission string `json:"permission"`
}

// checkAnswer is one answer. Rule is for those who may read policies.
type checkAnswer struct {
	Allow  bool          `json:"allow"`
	Code   identity.Code `json:"code"`
	Reason string        `json:"reason,omitempty"`
	Rule   string        `json:"rule,omitempty"`
}

// Check answers one question in the URL.
func Check(c *web.Call) error {
	if err := c.CountCheck(); err != nil {
		return err
	}
	var item checkItem
	if err := web.ReadQuery(c.R, map[string]*string{"method": &item.Method, "path": &item.Path, "host": &item.Host,
		"permission": &item.Permission},
		"The query takes method, path, host and permission, each once."); err != nil {
		return err
	}
	answer, err := check(c, item)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

// CheckAll answers a batch, in its order.
func CheckAll(c *web.Call) error {
	if err := c.CountCheck(); err != nil {
		return err
	}
	var in struct {
		Items []checkItem `json:"items"`
	}
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	if len(in.Items) == 0 || len(in.Items) > maxChecks {
		return identity.Invalid("items holds 1 to 100 questions.")
	}
	answers := make([]checkAnswer, len(in.Items))
	for i, item := range in.Items {
		var err error
		if answers[i], err = check(c, item); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, map[string]any{"items": answers})
}

func check(c *web.Call, item checkItem) (checkAnswer, error) {
	if item.Permission != "" {
		if item.Method+item.Path+item.Host != "" {
			return checkAnswer{}, identity.Invalid("Ask for a permission, or for a method and a path.")
		}
		return checkPermission(c, item.Permission)
	}
	host, err := checkedHost(c, item.Host)
	if err != nil {
		return checkAnswer{}, err
	}
	authority := host
	if o, named := c.Origins.Named(item.Host); named { // with its port: two ports of a name are two sites
		authority = o.Authority()
	} else if item.Host == "" {
		authority = c.R.Host
	}
	q, err := c.NewQuestion(item.Method, item.Path, host, authority)
	if err != nil {
		return checkAnswer{}, err
	}
	if c.Checker == nil {
		return checkAnswer{Code: identity.CodeNoRule}, nil
	}
	d := c.Checker.Check(q)
	answer := checkAnswer{Allow: d.Allow, Code: d.Code, Reason: d.Reason}
	if answer.Code == "" && !d.Allow {
		answer.Code = identity.CodeNoRule
	}
	if c.Permitted(web.PoliciesRead) {
		answer.Rule = d.Rule
	}
	return answer, nil
}

func checkPermission(c *web.Call, permission string) (checkAnswer, error) {
	if err := policy.CheckPermission(permission); err != nil {
		return checkAnswer{}, identity.Invalid("A permission is resource:action, such as orders:read.")
	}
	if c.Permitted(permission) {
		return checkAnswer{Allow: true}, nil
	}
	return checkAnswer{Code: identity.CodePermissionRequired}, nil
}

// checkedHost is the host a question is about: the one that was asked, or for a bearer token, which is good on every
// host, another one. A session is bound to its host, and so is what it may ask.
func checkedHost(c *web.Call, asked string) (string, error) {
	if asked == "" {
		return c.Host, nil
	}
	host, err := policy.FoldHost(asked)
	if err != nil {
		return "", identity.Invalid("host is not a host name.")
	}
	if host != c.Host && c.Entry.Principal.Credential != identity.CredentialBearer {
		return "", identity.Invalid("A session is good on its own host alone. Ask there, or send an access token.")
	}
	return host, nil
}
