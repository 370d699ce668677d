package view

import (
	"fmt"
	"html/template"
	"time"
)

// funcs are the templates' words, bound to one language.
func (l *locale) funcs() template.FuncMap {
	return template.FuncMap{
		"t":       l.html,
		"plain":   l.plainStrict,
		"foreign": l.foreign,
		"bdi":     bdi,
		"strong":  func(s string) template.HTML { return "<strong>" + bdi(s) + "</strong>" },
		"code": func(s string) template.HTML {
			return template.HTML(`<code dir="ltr">` + template.HTMLEscapeString(s) + `</code>`)
		},
		"when":     func(t time.Time) template.HTML { return timeTag(t, "datetime") },
		"clock":    func(t time.Time) template.HTML { return timeTag(t, "time") },
		"ago":      func(t time.Time) template.HTML { return timeTag(t, "ago") },
		"day":      func(t time.Time) template.HTML { return timeTag(t, "date") },
		"link":     func(s string) template.URL { return template.URL(link(s)) }, // #nosec: http, https and own paths only
		"describe": describe,
		"problem":  l.problem,
		"fault":    l.fault,
		"dict":     dict,
		"rules":    l.rules,
		"handheld": handheld,
		"icon":     icon,
		"wait":     l.wait,

		"triesleft": l.triesLeft,
		"letter":    letter,
		"tone":      tone,
		"device":    l.device,
		"methods":   l.methods,
		"qr":        l.qr,
	}
}

// plainStrict is plain for templates: a missing key fails the page.
func (l *locale) plainStrict(key string, args ...any) (string, error) {
	if _, ok := l.texts[key]; !ok {
		return "", fmt.Errorf("no text %q", key)
	}
	return l.plain(key, args...), nil
}

// timeTag is a moment in UTC, written so that it needs no translation; the module shows it in the reader's own zone.
// how is "datetime", "date", "time" or "ago".
func timeTag(t time.Time, how string) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	layout := "2006-01-02 15:04 UTC"
	switch how {
	case "time":
		layout = "15:04 UTC"
	case "date":
		layout = "2006-01-02"
	}
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `" data-local="` + how + `">` + t.Format(layout) +
		`</time>`)
}

// rules says what a password must be, as the hint of a field.
func (l *locale) rules(field string, length int) (template.HTML, error) {
	words, err := l.html("password.rules", "n", length)
	return `<p class="hint" id="` + template.HTML(field) + `-hint">` + words + `</p>`, err // #nosec: field is a constant
}

// dict passes several values to a partial template by name.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// wait is a length of time that the module counts down: "4 min 12 s". It is part of an alert, which would otherwise be
// read out every second: hence aria-live=off.
func (l *locale) wait(d time.Duration) (template.HTML, error) {
	n := seconds(d)
	words, err := l.html("wait.minutes", "m", n/60, "s", n%60)
	if n < 60 {
		words, err = l.html("wait.seconds", "s", n)
	}
	if err != nil {
		return "", err
	}
	return template.HTML(fmt.Sprintf(`<span data-countdown="%d" data-minutes="%s" data-seconds="%s" aria-live="off">%s</span>`, n,
		template.HTMLEscapeString(l.texts["wait.minutes"].other), template.HTMLEscapeString(l.texts["wait.seconds"].other),
		words)), nil
}

// triesLeft says how many tries remain before a pause, and how long that is: whole minutes, rounded up, or seconds. It
// is the wait until the next try, not the window of the limit: `5 5m` gives one try back each minute.
func (l *locale) triesLeft(tries int, pause time.Duration) (template.HTML, error) {
	if pause < time.Minute {
		return l.html("login.tries_left_seconds", "n", tries, "s", seconds(pause))
	}
	return l.html("login.tries_left", "n", tries, "m", int((pause+time.Minute-1)/time.Minute))
}

// letter is the first character of a name, for its tile.
func letter(s string) string {
	for _, c := range s {
		return string(c)
	}
	return "?"
}

// tone picks one of six tile colours, always the same for a name.
func tone(s string) string {
	sum := uint32(2166136261) // FNV-1a
	for i := range len(s) {
		sum = (sum ^ uint32(s[i])) * 16777619
	}
	return "tone-" + string(rune('1'+sum%6))
}
