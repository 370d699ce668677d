package policyfile

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Outcome is what a test expects of a request.
type Outcome string

// The outcomes.
const (
	Allow  Outcome = "allow"
	Deny   Outcome = "deny"
	Login  Outcome = "login"
	StepUp Outcome = "step_up"
)

var outcomes = []string{string(Allow), string(Deny), string(Login), string(StepUp)}

// anonymous is who is not signed in.
const anonymous = "anonymous"

// maxCases bounds the cases of all files.
const maxCases = 100_000

// noon is when tests without a time take place: a Monday, so that what depends on the hour gives the same every day.
var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// TestFile is one *_test.yaml.
type TestFile struct {
	Name     string
	Policies []string // the files whose rules are tested, as in a site's `policy` option; none: all
	Cases    []Case
}

// Case is one request by one person with the outcome it must have.
type Case struct {
	At     policy.Position `json:"-"`
	Method string          `json:"method"`
	URL    string          `json:"url"`
	Who    string          `json:"who"`
	Want   Outcome         `json:"want"`

	request   policy.Request
	ambiguous bool // the gateway answers 400 whatever rules say
	principal *identity.Principal
}

// ParseTests reads the files of tests among the sources. Errors are Problems.
func ParseTests(sources []Source, doc *Document) ([]TestFile, error) {
	var problems Problems
	var all []TestFile
	left := maxCases
	for _, s := range sources {
		if !s.IsTest() {
			continue
		}
		r := &testReader{reader: &reader{file: s.Name, problems: &problems}, doc: doc, left: left}
		all = append(all, r.read(s))
		left = r.left
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b TestFile) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// testReader reads one file of tests.
type testReader struct {
	*reader
	doc   *Document
	users map[string]*testUser
	left  int
}

// testUser is a signed-in user, as a file of tests describes them.
type testUser struct {
	principal        identity.Principal
	mfa              string
	mfaAge, loginAge time.Duration
	hasAddr          bool
	addr             netip.Addr
}

func (r *testReader) read(s Source) TestFile {
	f := TestFile{Name: s.Name}
	root := r.document(s.Text)
	if root == nil {
		return f
	}
	keys := r.keys(root, "test file", "policy", "users", "tests")
	if k, ok := keys["policy"]; ok {
		for _, w := range r.texts(k.value, "policy") {
			if !slices.Contains(r.doc.Files, w.text) {
				r.fail(w.node, "there is no policy %s%s", quote(w.text), r.hint(w.text, r.doc.Files))
				continue
			}
			f.Policies = append(f.Policies, w.text)
		}
	}
	r.users = map[string]*testUser{}
	if k, ok := keys["users"]; ok {
		for _, e := range r.entries(k.value, "users") {
			if e.key.Value == anonymous {
				r.fail(e.key, "users: %s is who is not signed in; give this one another name", anonymous)
				continue
			}
			r.users[e.key.Value] = r.user(e)
		}
	}
	k, ok := keys["tests"]
	if !ok {
		r.fail(root, "test file: it has no tests")
		return f
	}
	for _, item := range r.items(k.value, "tests") {
		f.Cases = append(f.Cases, r.test(item)...)
	}
	return f
}

func (r *testReader) user(e pair) *testUser {
	name := e.key.Value
	what := "user " + quote(name)
	u := &testUser{principal: identity.Principal{UserID: "test-" + name, Username: name, Name: name, SessionID: "test",
		Proof: identity.Proof{AMR: []string{identity.AMRPassword}, ACR: identity.ACRPassword}}}
	if e.value.ShortTag() == "!!null" {
		return u
	}
	keys := r.keys(e.value, what, "roles", "mfa", "mfa_age", "login_age", "client", "email", "ip", "network")
	if k, ok := keys["roles"]; ok {
		for _, w := range r.texts(k.value, "roles of "+what) {
			if !r.doc.Roles.Known(w.text) {
				r.fail(w.node, "unknown role %s of %s%s", quote(w.text), what, r.hint(w.text, r.doc.Roles.Names()))
				continue
			}
			u.principal.Roles = append(u.principal.Roles, w.text)
		}
	}
	if k, ok := keys["mfa"]; ok {
		r.mfa(k, what, u)
	}
	if k, ok := keys["mfa_age"]; ok {
		if u.mfaAge = r.duration(k.value, "mfa_age of "+what); keys["mfa"].key == nil {
			r.fail(k.key, "mfa_age of %s: it has no mfa", what)
		}
		u.loginAge = u.mfaAge
	}
	if k, ok := keys["login_age"]; ok {
		u.loginAge = r.duration(k.value, "login_age of "+what)
	}
	if k, ok := keys["client"]; ok {
		w, _ := r.text(k.value, "client of "+what)
		u.principal.ClientID = w.text
	}
	if k, ok := keys["email"]; ok {
		w, _ := r.text(k.value, "email of "+what)
		u.principal.Email = w.text
	}
	u.addr, u.hasAddr = r.address(keys, what)
	return u
}

func (r *testReader) mfa(k pair, what string, u *testUser) {
	w, ok := r.text(k.value, "mfa of "+what)
	u.mfa = w.text
	switch {
	case !ok:
	case w.text == identity.MethodTOTP:
		u.principal.AMR = identity.AddAMR(u.principal.AMR, identity.AMROTP, identity.AMRMFA)
		u.principal.ACR = identity.ACRMFA
	case w.text == identity.MethodPasskey:
		u.principal.AMR = []string{identity.AMRSoftware, identity.AMRUser, identity.AMRMFA}
		u.principal.ACR = identity.ACRPasskey
	default:
		r.fail(k.value, "mfa of %s: %s is neither totp nor passkey%s", what, quote(w.text),
			r.hint(w.text, []string{identity.MethodTOTP, identity.MethodPasskey}))
	}
}

// address reads `ip`, or `network`: the first address of a network.
func (r *testReader) address(keys map[string]pair, what string) (netip.Addr, bool) {
	ip, hasIP := keys["ip"]
	network, hasNetwork := keys["network"]
	switch {
	case hasIP && hasNetwork:
		r.fail(network.key, "%s: give ip or network, not both", what)
	case hasIP:
		w, ok := r.text(ip.value, "ip of "+what)
		addr, err := netip.ParseAddr(w.text)
		if ok && (err != nil || addr.Zone() != "") {
			r.fail(ip.value, "ip of %s: %s is no address", what, quote(w.text))
		}
		return addr.Unmap(), err == nil
	case hasNetwork:
		w, ok := r.text(network.value, "network of "+what)
		known := r.doc.Networks[w.text]
		if ok && len(known) == 0 {
			r.fail(network.value, "%s: unknown network %s%s", what, quote(w.text), r.hint(w.text, sortedKeys(r.doc.Networks)))
			return netip.Addr{}, false
		}
		if ok {
			return known[0].Addr(), true
		}
	}
	return netip.Addr{}, false
}

// test reads one URL with its expectations.
func (r *testReader) test(n *yaml.Node) []Case {
	keys := r.keys(n, "test", "url", "expect", "at", "ip", "network")
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for _, key := range []string{"url", "expect"} {
		if _, ok := keys[key]; !ok {
			r.fail(n, "test: it has no %s", key)
			return nil
		}
	}
	u := r.url(keys["url"].value)
	now := noon
	if k, ok := keys["at"]; ok {
		var err error
		if now, err = time.Parse(time.RFC3339, k.value.Value); err != nil || k.value.Kind != yaml.ScalarNode {
			r.fail(k.value, "at: want a time such as %s", noon.Format(time.RFC3339))
		}
	}
	addr, hasAddr := r.address(keys, "test")
	if u == nil {
		return nil
	}
	host, err := policy.FoldHost(u.Host)
	if err != nil {
		r.fail(keys["url"].value, "url: host %s: %v", quote(u.Host), err)
		return nil
	}
	var cases []Case
	for _, m := range r.entries(keys["expect"].value, "expect") {
		method := m.key.Value
		if err := checkMethod(method); err != nil {
			r.fail(m.key, "method %s: %v", quote(method), err)
			continue
		}
		path, err := policy.Canonical(&http.Request{Method: method, URL: u, RequestURI: u.RequestURI()})
		request := policy.Request{Host: host, Method: method, Path: path.Canonical, Readings: path.Readings, Addr: addr,
			Now: now}
		for _, e := range r.entries(m.value, "expect of "+method) {
			if c, ok := r.expectation(e); ok {
				c.Method, c.URL, c.request, c.ambiguous = method, u.String(), request, err != nil
				c.principal = r.users[c.Who].at(now)
				if u := r.users[c.Who]; u != nil && u.hasAddr && !hasAddr {
					c.request.Addr = u.addr
				}
				cases = append(cases, c)
			}
		}
	}
	if len(cases) == 0 && len(*r.problems) == 0 {
		r.fail(keys["expect"].value, "expect: it expects nothing")
	}
	return cases
}

// url reads an absolute URL as a browser sends it.
func (r *testReader) url(n *yaml.Node) *url.URL {
	w, ok := r.text(n, "url")
	if !ok {
		return nil
	}
	u, err := url.Parse(w.text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		r.fail(n, "url: %s is not such as https://orders.example.com/orders/7", quote(w.text))
		return nil
	}
	if strings.Contains(w.text, "#") {
		r.fail(n, "url: what follows # never leaves the browser; leave it out")
		return nil
	}
	return u
}

func (r *testReader) expectation(e pair) (Case, bool) {
	who := e.key.Value
	if r.users[who] == nil && who != anonymous {
		r.fail(e.key, "expect: unknown user %s%s", quote(who), r.hint(who, append(sortedKeys(r.users), anonymous)))
		return Case{}, false
	}
	w, ok := r.text(e.value, "expect of "+quote(who))
	if ok && !slices.Contains(outcomes, w.text) {
		r.fail(e.value, "expect of %s: %s is not one of %s%s", quote(who), quote(w.text), strings.Join(outcomes, ", "),
			r.hint(w.text, outcomes))
		return Case{}, false
	}
	if r.left--; r.left == -1 {
		r.fail(e.key, "there are more than %d cases", maxCases)
	}
	return Case{At: r.at(e.value), Who: who, Want: Outcome(w.text)}, ok && r.left >= 0
}

// at is the person at a time.
func (u *testUser) at(now time.Time) *identity.Principal {
	if u == nil {
		return nil
	}
	p := u.principal
	p.AuthTime = now.Add(-u.loginAge)
	if u.mfa != "" {
		p.MFATime = now.Add(-u.mfaAge)
	}
	if u.mfa == identity.MethodPasskey {
		p.PasskeyTime = p.MFATime
	}
	return &p
}

// String returns a case in the form that results show.
func (c Case) String() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return fmt.Sprintf("%s %s as %s", c.Method, c.URL, c.Who)
	}
	return fmt.Sprintf("%s %s as %s", c.Method, u.RequestURI(), c.Who)
}
