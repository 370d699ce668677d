package view

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// locale is one language: its catalogue and the templates bound to it.
type locale struct {
	tag, dir  string
	texts     map[string]message
	byText    map[string]string // English text -> key, for details that come from other rooms
	templates *template.Template
}

// message is a text, or one per plural form. English has "one" and "other".
type message struct{ one, other string }

// UnmarshalJSON takes a string or {"one":…,"other":…}.
func (m *message) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, &m.other)
	}
	var forms struct{ One, Other string }
	err := json.Unmarshal(raw, &forms)
	m.one, m.other = forms.One, forms.Other
	return err
}

// english is the catalogue that everything else is made from.
var english = loadCatalogue()

func loadCatalogue() map[string]message {
	raw, err := files.ReadFile("i18n/en.json")
	if err != nil {
		panic(err) // embedded
	}
	texts := map[string]message{}
	if err := json.Unmarshal(raw, &texts); err != nil {
		panic("i18n/en.json: " + err.Error())
	}
	return texts
}

func (r *Renderer) newLocales() (map[string]*locale, error) {
	byText := map[string]string{}
	for key, m := range english {
		if m.one == "" && !strings.Contains(m.other, "{") {
			byText[m.other] = key
		}
	}
	all := map[string]*locale{
		"en":    {tag: "en", dir: "ltr", texts: english},
		"en-XA": {tag: "en-XA", dir: "ltr", texts: translate(english, accented)},
		"ar-XB": {tag: "ar-XB", dir: "rtl", texts: translate(english, mirrored)},
	}
	for _, l := range all {
		l.byText = byText
		var err error
		if l.templates, err = template.New("").Funcs(l.funcs()).ParseFS(files, "templates/*.html"); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// language chooses by ?lang=, then Accept-Language, then English. query keeps a choice of the address alive.
func (r *Renderer) language(req *http.Request) (l *locale, query string) {
	if len(req.URL.RawQuery) <= 8<<10 && strings.Contains(req.URL.RawQuery, "lang=") {
		if tag := req.URL.Query().Get("lang"); r.offers(tag) {
			return r.locales[tag], "?lang=" + tag
		}
	}
	for _, tag := range accepted(req.Header.Get("Accept-Language")) {
		if r.offers(tag) {
			return r.locales[tag], ""
		}
		if primary, _, _ := strings.Cut(tag, "-"); r.offers(primary) {
			return r.locales[primary], ""
		}
	}
	return r.locales["en"], ""
}

func (r *Renderer) offers(tag string) bool {
	_, ok := r.locales[tag]
	return ok && (r.PseudoLocales || tag != "en-XA" && tag != "ar-XB")
}

// accepted lists the languages of an Accept-Language header (RFC 9110 12.5.4), best first; at most ten are looked at.
func accepted(header string) []string {
	var tags []string
	var weights []float64
	for part := range strings.SplitSeq(header[:min(len(header), 512)], ",") {
		tag, params, _ := strings.Cut(part, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			if v, err := strconv.ParseFloat(q, 64); err == nil && v >= 0 && v <= 1 {
				weight = v
			}
		}
		if tag = strings.TrimSpace(tag); tag == "" || weight == 0 {
			continue
		}
		at := len(tags) // insertion keeps the header's order between equals
		for at > 0 && weights[at-1] < weight {
			at--
		}
		tags = append(tags[:at], append([]string{tag}, tags[at:]...)...)
		weights = append(weights[:at], append([]float64{weight}, weights[at:]...)...)
		if len(tags) == 10 {
			break
		}
	}
	return tags
}

// text returns the wording of a key. args are names and values; "n" also chooses the plural form. Each value goes
// through write. A missing key is a mistake of ours and is an error at rendering, so that tests see it.
func (l *locale) text(key string, args []any, write func(any) (string, error),
	escape func(string) string) (string, error) {
	m, ok := l.texts[key]
	if !ok {
		return "", fmt.Errorf("no text %q", key)
	}
	if len(args)%2 != 0 {
		return "", fmt.Errorf("text %q: names and values must come in pairs", key)
	}
	form := m.other
	values := map[string]string{}
	for i := 0; i < len(args); i += 2 {
		name, ok := args[i].(string)
		if !ok {
			return "", fmt.Errorf("text %q: argument %d is no name", key, i)
		}
		if n, isCount := args[i+1].(int); name == "n" && isCount && n == 1 && m.one != "" {
			form = m.one
		}
		v, err := write(args[i+1])
		if err != nil {
			return "", err
		}
		values[name] = v
	}
	var b strings.Builder
	for form != "" { // one pass: a value that looks like a placeholder stays what it is
		before, rest, found := strings.Cut(form, "{")
		b.WriteString(escape(before))
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		v, given := values[name]
		if !closed || !given {
			return "", fmt.Errorf("text %q: no value for {%s}", key, name)
		}
		b.WriteString(v)
		form = after
	}
	return b.String(), nil
}

// html is a text for a page: values are isolated and encoded, times become <time>.
func (l *locale) html(key string, args ...any) (template.HTML, error) {
	s, err := l.text(key, args, func(v any) (string, error) {
		switch v := v.(type) {
		case template.HTML:
			return string(v), nil
		case string:
			return string(bdi(v)), nil
		case int:
			return strconv.Itoa(v), nil
		case time.Time:
			return string(timeTag(v, "datetime")), nil
		}
		return "", fmt.Errorf("text %q: a %T cannot be shown", key, v)
	}, template.HTMLEscapeString)
	return template.HTML(s), err // #nosec: every part is encoded above
}

// plain is a text for attributes and titles.
func (l *locale) plain(key string, args ...any) string {
	s, err := l.text(key, args, func(v any) (string, error) { return fmt.Sprint(v), nil },
		func(s string) string { return s })
	if err != nil {
		return key
	}
	return s
}

// foreign shows a detail that another room wrote in English: translated when the catalogue has it.
func (l *locale) foreign(english string) template.HTML {
	if key, ok := l.byText[english]; ok {
		if s, err := l.html(key); err == nil {
			return s
		}
	}
	return bdi(english)
}
