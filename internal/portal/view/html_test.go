package view_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

// each calls f for every element, parents first.
func each(n *html.Node, f func(*html.Node)) {
	if n.Type == html.ElementNode {
		f(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		each(c, f)
	}
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func parse(t testing.TB, body string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// wellFormed finds tags that are not closed, or closed in the wrong order: the parser would repair them silently.
func wellFormed(body string) error {
	void := []string{"meta", "link", "input", "img", "br", "hr"}
	var open []string
	for z := html.NewTokenizer(strings.NewReader(body)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				return fmt.Errorf("never closed: %v", open)
			}
			return nil
		case html.StartTagToken:
			if name, _ := z.TagName(); !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				return fmt.Errorf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

// PW-11. UX section 2, HTML and JS, errors, autocomplete: the rules of every page and form.
func TestEveryPageKeepsTheRules(t *testing.T) {
	if wellFormed("<p><b></p></b>") == nil || wellFormed("<p>") == nil {
		t.Fatal("control: broken HTML passes")
	}
	r := renderer(t, view.Brand{Support: "help@example.com"})
	for _, s := range stories() {
		body := get(r, site, s.status, s.page).Body.String()
		if err := wellFormed(body); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		doc := parse(t, body)
		count, ids := map[string]int{}, map[string]bool{}
		var title string
		each(doc, func(n *html.Node) {
			count[n.Data]++
			if id, ok := attr(n, "id"); ok {
				if ids[id] {
					t.Errorf("%s: id %s twice", s.name, id)
				}
				ids[id] = true
			}
			if n.Data == "title" {
				title = n.FirstChild.Data
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: <%s %s> is against the policy", s.name, n.Data, a.Key)
				}
			}
			if _, src := attr(n, "src"); n.Data == "script" && !src || n.Data == "style" {
				t.Errorf("%s: inline <%s>", s.name, n.Data)
			}
		})
		if count["h1"] != 1 || count["main"] != 1 || count["title"] < 1 {
			t.Errorf("%s: %d h1, %d main, %d title", s.name, count["h1"], count["main"], count["title"])
		}
		if failed := s.status >= 400; strings.HasPrefix(title, "Error: ") != failed || !strings.HasSuffix(title,
			" · Truxe") {
			t.Errorf("%s: title %q", s.name, title)
		}
		if s.name != "frame" && !strings.Contains(body, `<a class="skip" href="#main">`) {
			t.Errorf("%s: no skip link", s.name)
		}
		each(doc, func(n *html.Node) {
			for _, name := range []string{"aria-describedby", "aria-labelledby", "aria-controls", "for"} {
				v, _ := attr(n, name)
				for _, id := range strings.Fields(v) {
					if !ids[id] {
						t.Errorf("%s: %s names %s, which is not there", s.name, name, id)
					}
				}
			}
			if href, ok := attr(n, "href"); ok && strings.HasPrefix(href, "#") && !ids[href[1:]] {
				t.Errorf("%s: link to %s, which is not there", s.name, href)
			}
			if n.Data == "form" {
				formRules(t, s.name, n, ids)
			}
		})
		if strings.Contains(body, `role="alert"`) {
			each(doc, func(n *html.Node) {
				role, _ := attr(n, "role")
				if tab, _ := attr(n, "tabindex"); role == "alert" && tab != "-1" {
					t.Errorf("%s: the summary cannot take the focus", s.name)
				}
			})
		}
	}
}

// formRules are the password managers' rules and ours: one POST, a user name beside every password, tokens, labels.
func formRules(t *testing.T, page string, form *html.Node, ids map[string]bool) {
	t.Helper()
	if method, _ := attr(form, "method"); method != "post" {
		t.Errorf("%s: form method %q", page, method)
	}
	if action, _ := attr(form, "action"); !strings.HasPrefix(action, "/.truxe/") {
		t.Errorf("%s: form action %q", page, action)
	}
	labelled, names, passwords, tokens, submits := map[string]bool{}, map[string]bool{}, 0, []string{}, 0
	each(form, func(n *html.Node) {
		if id, ok := attr(n, "for"); ok {
			labelled[id] = true
		}
	})
	each(form, func(n *html.Node) {
		kind, _ := attr(n, "type")
		if n.Data == "button" && kind == "submit" {
			submits++
		}
		if _, disabled := attr(n, "disabled"); disabled {
			t.Errorf("%s: a disabled <%s>", page, n.Data)
		}
		if n.Data != "input" {
			return
		}
		name, _ := attr(n, "name")
		names[name] = true
		_, hidden := attr(n, "hidden")
		if kind == "hidden" {
			return
		}
		auto, _ := attr(n, "autocomplete")
		if kind != "checkbox" {
			tokens = append(tokens, auto)
			if auto == "" {
				t.Errorf("%s: %s has no autocomplete", page, name)
			}
		}
		if _, limited := attr(n, "maxlength"); limited {
			t.Errorf("%s: %s cuts what is pasted", page, name)
		}
		if !hidden && !labelled[name] {
			t.Errorf("%s: %s has no label", page, name)
		}
		if id, _ := attr(n, "id"); !hidden && id != name {
			t.Errorf("%s: id of %s is %q", page, name, id)
		}
		if kind == "password" {
			passwords++
			if v, _ := attr(n, "value"); v != "" {
				t.Errorf("%s: a password comes back", page)
			}
			if auto == "new-password" {
				if rules, _ := attr(n, "passwordrules"); !strings.Contains(rules, "minlength: 15") {
					t.Errorf("%s: passwordrules %q", page, rules)
				}
			}
		}
		if _, bad := attr(n, "aria-invalid"); bad {
			if by, _ := attr(n, "aria-describedby"); !strings.Contains(by, name+"-error") || !ids[name+"-error"] {
				t.Errorf("%s: %s is invalid and does not say why", page, name)
			}
		}
	})
	if passwords > 0 && !slices.ContainsFunc(tokens, func(s string) bool { return strings.HasPrefix(s, "username") }) {
		t.Errorf("%s: a password without a user name field", page)
	}
	if submits == 0 {
		t.Errorf("%s: a form without a button", page)
	}
}

func TestAutocompleteTokens(t *testing.T) {
	r := renderer(t, view.Brand{})
	for _, c := range []struct {
		page view.Page
		want map[string]string
	}{
		{view.Login{}, map[string]string{"username": "username webauthn", "password": "current-password"}},
		{view.Confirm{Viewer: alice}, map[string]string{"username": "username", "password": "current-password"}},
		{view.PasswordChange{Viewer: alice}, map[string]string{"username": "username",
			"current_password": "current-password",
			"new_password":     "new-password"}},
		{view.Setup{}, map[string]string{"token": "off", "username": "username", "email": "email", "name": "name",
			"new_password": "new-password"}},
	} {
		got := map[string]string{}
		each(parse(t, get(r, site, 200, c.page).Body.String()), func(n *html.Node) {
			if auto, ok := attr(n, "autocomplete"); ok {
				name, _ := attr(n, "name")
				got[name] = auto
			}
		})
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%T: %v, want %v", c.page, got, c.want)
		}
	}
}

// UX section 4, 13: en-XA leaves no text untranslated. What keeps Latin letters is a name, a host, code, a time or a
// unit of ours that is in the catalogue.
func TestNoTextIsUntranslated(t *testing.T) {
	r := renderer(t, view.Brand{Name: "1", Support: "help@example.com"})
	r.PseudoLocales = true
	latin := regexp.MustCompile(`[A-Za-z]`)
	var text func(n *html.Node, name string)
	text = func(n *html.Node, name string) {
		if n.Type == html.TextNode && latin.MatchString(n.Data) {
			t.Errorf("%s: %q", name, strings.TrimSpace(n.Data))
		}
		if n.Type == html.ElementNode {
			switch n.Data {
			case "bdi", "code", "time", "script":
				return
			}
			for _, a := range n.Attr {
				switch a.Key {
				case "aria-label", "title", "alt", "placeholder", "data-text", "data-copied", "data-reload", "data-taken",
					"data-over", "data-one-minute", "data-signed-out":
					if latin.MatchString(a.Val) {
						t.Errorf("%s: %s=%q", name, a.Key, a.Val)
					}
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			text(c, name)
		}
	}
	for _, s := range stories() {
		if s.name == "continue" || s.name == "login-already" {
			s.page = view.Login{Destination: view.Destination{Host: "7"},
				Already: view.Already{SignedIn: view.Viewer{Username: "7"}}} // titles hold a host, which has letters
		}
		text(parse(t, get(r, site+"?lang=en-XA", s.status, s.page).Body.String()), s.name)
	}
}

// UX section 2: names and hosts are isolated, codes read left to right.
func TestNamesAreIsolated(t *testing.T) {
	r := renderer(t, view.Brand{})
	for _, c := range []struct {
		page view.Page
		want []string
	}{
		{view.Login{Destination: grafana}, []string{"to continue to <strong><bdi>grafana.example.com</bdi></strong>"}},
		{view.Denied{Viewer: alice, Host: "h.example", Path: "/admin", Code: identity.CodeRoleRequired,
			Reference: "R-7KQ2-X9FD"},
			[]string{"You don&#39;t have access to <bdi>h.example/admin</bdi>.",
				`<code dir="ltr" id="reference">R-7KQ2-X9FD</code>`, "This needs a role you don&#39;t have."}},
		{view.Launcher{Viewer: alice}, []string{"No apps yet."}},
		{view.Login{Destination: view.Destination{Host: "h.example"}, Attempts: view.Attempts{TriesLeft: 1,
			Pause: 5 * time.Minute},
			Problems: []view.Problem{{Field: "password", Key: "problem.invalid_credentials"}}},
			[]string{"1 try left before a 5-minute pause."}},
		{view.Login{Destination: view.Destination{Host: "h.example"}, Attempts: view.Attempts{TriesLeft: 2,
			Pause: 6 * time.Second},
			Problems: []view.Problem{{Field: "password", Key: "problem.invalid_credentials"}}},
			[]string{"2 tries left before a 6-second pause."}},
		{view.MFA{Account: alice, Methods: []string{view.MethodTOTP}, Attempts: view.Attempts{TriesLeft: 2,
			Pause: 61 * time.Second},
			Problems: []view.Problem{{Field: "code", Key: "problem.code_wrong"}}},
			[]string{"2 tries left before a 2-minute pause."}},
		{view.Login{Destination: view.Destination{Host: "h.example"}, CookiesBlocked: true},
			[]string{"Cookies are blocked for <bdi>h.example</bdi>. Allow them and try again."}},
		{view.SessionEnded{Resubmit: true}, []string{"Your session ended.", "Nothing was sent to the app.",
			"data-resubmit"}},
		{view.ErrorPage{Status: 503, Code: identity.CodeStateUnavailable},
			[]string{"We can&#39;t check your sign-in right now. Nothing was sent to the app."}},
		{view.ErrorPage{Status: 502}, []string{"The app is down"}},
		{view.SetupDone{Host: "h.example:8443"}, []string{"h.example:8443 {\n\ttruxe\n\treverse_proxy localhost:3000\n}"}},
		{view.SetupDone{Host: "h {\n import x"}, []string{"app.example.com {\n\ttruxe"}},
	} {
		body := get(r, site, 200, c.page).Body.String()
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%T does not say %q", c.page, want)
			}
		}
	}
}
