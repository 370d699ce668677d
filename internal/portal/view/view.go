// Package view renders the gateway's pages: typed models in, bytes out. It knows no session and no store; handlers
// fill a model and call Render. Every text comes from one catalogue, shared with the JSON API through Text.
package view

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/loopback"
)

// Brand is how the gateway calls itself. The zero value is Truxe's own.
type Brand struct {
	Name string // default "Truxe"
	// Logo is the content of a logo file: SVG, PNG, JPEG, WebP or GIF, at most 32 KiB; it is served with the assets.
	Logo []byte
	// LogoURL is a path on the gateway's own origin ("/logo.svg"), used when Logo is empty. The pages' CSP allows no
	// other origin.
	LogoURL string
	// Accent is "#rrggbb", or "#rrggbb #rrggbb" for the light and the dark scheme. With one colour the dark one is
	// derived: the same hue, as light as it must be. Default: Truxe's green.
	Accent string
	// Support is who helps: a mail address, an http(s), mailto or tel URL, or plain words. Empty: no contact is named.
	Support string
}

// Renderer renders pages for one brand and base path. It is safe for concurrent use.
type Renderer struct {
	// PseudoLocales lets ?lang=en-XA and ?lang=ar-XB choose the made-up languages of the tests. Default false.
	PseudoLocales bool

	brand   Brand
	support support
	base    string
	assets  map[string]asset // by file name
	css, js string           // URLs
	icon    string
	logo    string
	locales map[string]*locale
}

// Page is a model that Render knows: one of the structs of this package.
type Page interface{ meta() meta }

// meta says what the frame around a page's content needs.
type meta struct {
	name   string // of the template
	title  string // catalogue key of <title>
	args   []any  // of the title
	failed bool   // "Error: " before the title
	wide   bool   // an account page rather than one card
	framed bool   // may be shown in a frame of the same origin
	viewer Viewer
	tab    string // of the account's navigation
	retry  time.Duration
	target string // Refresh: 0
}

// Viewer, Wide and Tab are what templates read.
func (m meta) Viewer() Viewer { return m.viewer }
func (m meta) Wide() bool     { return m.wide }
func (m meta) Tab() string    { return m.tab }

// Viewer is the signed-in user a page is for; the zero value is an anonymous visitor.
type Viewer struct {
	Username string
	Name     string // display name, may be empty
	Zone     string // in which the module shows times, "Europe/Berlin"; empty: the device's
}

// Label is the display name, or the user name.
func (v Viewer) Label() string {
	if v.Name != "" {
		return v.Name
	}
	return v.Username
}

// scope is what templates see.
type scope struct {
	P     any
	M     meta
	r     *Renderer
	l     *locale
	query string // "?lang=…" when the language was chosen in the URL
}

// New checks the brand and prepares assets and templates. base is the prefix of the gateway's URLs, "/.truxe".
// Errors name the field and, for a colour, the nearest value that passes.
func New(b Brand, base string) (*Renderer, error) {
	if b.Name = strings.TrimSpace(b.Name); b.Name == "" {
		b.Name = "Truxe"
	}
	if !strings.HasPrefix(base, "/") || strings.HasPrefix(base, "//") || strings.HasSuffix(base, "/") {
		return nil, fmt.Errorf("path %q must begin with a slash and not end with one", base)
	}
	r := &Renderer{brand: b, base: base, assets: map[string]asset{}}
	var err error
	if r.support, err = parseSupport(b.Support); err != nil {
		return nil, err
	}
	colours, err := parseAccent(b.Accent)
	if err != nil {
		return nil, err
	}
	if err = r.addAssets(colours); err != nil {
		return nil, err
	}
	r.locales, err = r.newLocales()
	return r, err
}

// Render answers with the page. Nothing is written before the whole page is rendered: a template error becomes a clean
// 500 page, never half a page. A HEAD request gets the headers alone.
func (r *Renderer) Render(w http.ResponseWriter, req *http.Request, status int, page Page) {
	m := page.meta()
	l, query := r.language(req)
	body, err := r.render(page, m, l, query)
	if err != nil {
		status = http.StatusInternalServerError
		page = ErrorPage{Status: status, Code: identity.CodeInternal, Reference: identity.NewReference()}
		m = page.meta()
		if body, err = r.render(page, m, l, query); err != nil {
			body = []byte(lastResort)
		}
	}
	h := w.Header()
	SecurityHeaders(h, loopback.Host(req.Host))
	if m.framed {
		h.Set("Content-Security-Policy", framedPolicy)
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", l.tag)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Add("Vary", "Accept-Language, Cookie")
	if m.retry > 0 && h.Get("Retry-After") == "" {
		h.Set("Retry-After", strconv.Itoa(seconds(m.retry)))
	}
	if m.target != "" && status == http.StatusOK {
		h.Set("Refresh", "0; url="+m.target)
	}
	w.WriteHeader(status)
	if req.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// lastResort is sent when even the error page cannot be rendered.
const lastResort = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Error: Something went wrong</title><main><h1>Something went wrong</h1><p>Something went wrong on our side. Try again.</p></main></html>`

var errPage = errors.New("view: page refused")

func (r *Renderer) render(page Page, m meta, l *locale, query string) ([]byte, error) {
	if c, ok := page.(Continue); ok && c.target() == "" {
		return nil, errPage // not http, https or a path: never a link (CS-11)
	}
	var b bytes.Buffer
	err := l.templates.ExecuteTemplate(&b, m.name, &scope{P: page, M: m, r: r, l: l, query: query})
	return b.Bytes(), err
}

// URL is one of the gateway's own URLs; it keeps a language that was chosen in the address.
func (s *scope) URL(path string) string {
	if path, query, ok := strings.Cut(path, "?"); ok {
		return s.r.base + "/" + path + "?" + query + strings.Replace(s.query, "?", "&", 1)
	}
	return s.r.base + "/" + path + s.query
}

// Title is the page's name, then the brand's; "Error: " stands first on failure, where screen readers begin.
func (s *scope) Title() string {
	title := s.l.plain(s.M.title, s.M.args...) + " · " + s.r.brand.Name
	if s.M.failed {
		title = s.l.plain("title.error", "title", title)
	}
	return title
}

// Brand is the name in the page's head.
func (s *scope) Brand() string { return s.r.brand.Name }

// Lang is the BCP 47 tag of the page.
func (s *scope) Lang() string { return s.l.tag }

// Dir is "ltr" or "rtl".
func (s *scope) Dir() string { return s.l.dir }

// CSS is the style sheet's URL.
func (s *scope) CSS() string { return s.r.css }

// JS is the module's URL.
func (s *scope) JS() string { return s.r.js }

// Icon is the URL of the tab's icon.
func (s *scope) Icon() string { return s.r.icon }

// Logo is the brand's logo, "" for the built-in mark.
func (s *scope) Logo() string { return s.r.logo }

// Layout is the class of <body>.
func (s *scope) Layout() string {
	switch {
	case s.M.framed:
		return "framed"
	case s.M.wide:
		return "wide"
	}
	return "card-page"
}

// NoWait is for summaries of forms that no limit slows.
func (s *scope) NoWait() Wait { return Wait{} }

// Support is who helps, as a link where it can be one.
func (s *scope) Support() template.HTML { return s.r.support.html() }

// HasSupport reports whether the brand names a contact.
func (s *scope) HasSupport() bool { return s.r.support.text != "" }

// SupportURL is the link of Support; "" when it is plain words.
func (s *scope) SupportURL() template.URL { return template.URL(s.r.support.href) } // #nosec: checked by parseSupport

// support is who helps, checked.
type support struct{ text, href string }

func parseSupport(s string) (support, error) {
	s = strings.TrimSpace(s)
	u, err := url.Parse(s)
	switch {
	case s == "":
		return support{}, nil
	case err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
		return support{text: strings.TrimSuffix(u.Host+u.Path, "/"), href: u.String()}, nil
	case err == nil && (u.Scheme == "mailto" || u.Scheme == "tel") && u.Opaque != "":
		return support{text: u.Opaque, href: u.String()}, nil
	case err == nil && u.Scheme != "" && !strings.Contains(s, " "):
		return support{}, fmt.Errorf("brand support %q: use a mail address, an https URL or plain words", s)
	case strings.Count(s, "@") == 1 && !strings.ContainsAny(s, " <>\"?&%:/") && s[0] != '@' && s[len(s)-1] != '@':
		return support{text: s, href: "mailto:" + s}, nil
	}
	return support{text: s}, nil
}

func (s support) html() template.HTML {
	text := bdi(s.text)
	if s.href == "" {
		return text
	}
	return `<a href="` + template.HTML(template.HTMLEscapeString(s.href)) + `">` + text + `</a>`
}

// seconds rounds up, as Retry-After wants whole seconds (RFC 9110 10.2.3).
func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }
