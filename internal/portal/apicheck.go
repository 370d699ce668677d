package portal

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// Bounds of the check call.
const (
	maxChecks = 100 // items of a batch
	maxAsked  = 8 << 10
	maxMethod = 32
	checkRate = 600 // calls a minute, for each person and node
)

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

// apiCheck answers one question in the URL.
func apiCheck(c *call) error {
	if err := c.mayCheck(); err != nil {
		return err
	}
	var item checkItem
	if err := c.readQuery(map[string]*string{"method": &item.Method, "path": &item.Path, "host": &item.Host, "permission": &item.Permission},
		"The query takes method, path, host and permission, each once."); err != nil {
		return err
	}
	answer, err := c.check(item)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, answer)
}

// readQuery takes these parameters, each once at most; takes says so.
func (c *call) readQuery(into map[string]*string, takes string) error {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return bad("The query cannot be read.")
	}
	for name, values := range query {
		value, ok := into[name]
		if !ok || len(values) != 1 {
			return bad(takes)
		}
		*value = values[0]
	}
	return nil
}

// apiCheckAll answers a batch, in its order.
func apiCheckAll(c *call) error {
	if err := c.mayCheck(); err != nil {
		return err
	}
	var in struct {
		Items []checkItem `json:"items"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	if len(in.Items) == 0 || len(in.Items) > maxChecks {
		return bad("items holds 1 to 100 questions.")
	}
	answers := make([]checkAnswer, len(in.Items))
	for i, item := range in.Items {
		var err error
		if answers[i], err = c.check(item); err != nil {
			return err
		}
	}
	return c.json(http.StatusOK, map[string]any{"items": answers})
}

// mayCheck bounds how often somebody asks (OP-06).
func (c *call) mayCheck() error {
	limit, ok := c.Limits.Allow("portal check", ratelimit.Rate{Events: checkRate, Window: time.Minute}, "user:"+c.entry.Principal.UserID, c.Now())
	if !ok {
		return &identity.Error{Code: identity.CodeRateLimited, RetryAfter: limit.RetryAfter, Detail: "Too many checks. Ask for up to 100 things in one call."}
	}
	return nil
}

func (c *call) check(item checkItem) (checkAnswer, error) {
	if item.Permission != "" {
		if item.Method+item.Path+item.Host != "" {
			return checkAnswer{}, bad("Ask for a permission, or for a method and a path.")
		}
		return c.checkPermission(item.Permission)
	}
	host, err := c.checkedHost(item.Host)
	if err != nil {
		return checkAnswer{}, err
	}
	authority := host
	if o, named := c.Origins.Named(item.Host); named { // with its port: two ports of a name are two sites
		authority = o.Authority()
	} else if item.Host == "" {
		authority = c.r.Host
	}
	r, err := askedRequest(c.r, item, authority)
	if err != nil {
		return checkAnswer{}, err
	}
	if c.Checker == nil {
		return checkAnswer{Code: identity.CodeNoRule}, nil
	}
	d := c.Checker.Check(rules.Question{Asker: c.r, Principal: c.entry.Principal, Client: c.client, Host: host, Request: r})
	answer := checkAnswer{Allow: d.Allow, Code: d.Code, Reason: d.Reason}
	if answer.Code == "" && !d.Allow {
		answer.Code = identity.CodeNoRule
	}
	if c.permitted(policiesRead) {
		answer.Rule = d.Rule
	}
	return answer, nil
}

func (c *call) checkPermission(permission string) (checkAnswer, error) {
	if err := policy.CheckPermission(permission); err != nil {
		return checkAnswer{}, bad("A permission is resource:action, such as orders:read.")
	}
	if c.permitted(permission) {
		return checkAnswer{Allow: true}, nil
	}
	return checkAnswer{Code: identity.CodePermissionRequired}, nil
}

// checkedHost is the host a question is about: the one that was asked, or for a bearer token, which is good on every host,
// another one. A session is bound to its host, and so is what it may ask.
func (c *call) checkedHost(asked string) (string, error) {
	if asked == "" {
		return c.host, nil
	}
	host, err := policy.FoldHost(asked)
	if err != nil {
		return "", bad("host is not a host name.")
	}
	if host != c.host && c.entry.Principal.Credential != identity.CredentialBearer {
		return "", bad("A session is good on its own host alone. Ask there, or send an access token.")
	}
	return host, nil
}

// askedRequest reads method and path as a server reads a request line: what no server would take is refused, and how the
// path can be read is the judge's business.
func askedRequest(asker *http.Request, item checkItem, authority string) (*http.Request, error) {
	if item.Method == "" || len(item.Method) > maxMethod || strings.ContainsFunc(item.Method, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
		return nil, bad("method is an HTTP method, such as GET.")
	}
	if !strings.HasPrefix(item.Path, "/") || len(item.Path) > maxAsked || strings.ContainsFunc(item.Path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, bad("path begins with a slash and is as in a request line, at most 8 KiB.")
	}
	u, err := url.ParseRequestURI(item.Path)
	if err != nil {
		return nil, bad("path is not a path of a request.")
	}
	if _, err := netip.ParseAddr(authority); err == nil && strings.Contains(authority, ":") {
		authority = "[" + authority + "]"
	}
	return (&http.Request{Method: item.Method, URL: u, RequestURI: item.Path, Host: authority, Header: http.Header{}, Body: http.NoBody, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		RemoteAddr: asker.RemoteAddr, TLS: asker.TLS}).WithContext(asker.Context()), nil
}
