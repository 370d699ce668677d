package view

import (
	"html/template"

	"github.com/truxeio/caddy-truxe/internal/useragent"
)

// Browser names a browser and its system for users, "Firefox on Windows", from a User-Agent header. It is a help to
// recognise a device, never a decision: any client can send any header. Unknown: "Unknown browser".
func Browser(ua string) string {
	name, system := useragent.Of(ua)
	switch {
	case name == "" && system == "":
		return english["device.unknown"].other
	case name == "":
		return system
	case system == "":
		return name
	}
	return name + " on " + system
}

// device is Browser in the page's language.
func (l *locale) device(ua string) (template.HTML, error) {
	name, system := useragent.Of(ua)
	switch {
	case name == "" && system == "":
		return l.html("device.unknown")
	case name == "" || system == "":
		return bdi(name + system), nil
	}
	return l.html("device.on", "browser", name, "system", system)
}

// methods names how a user signed in (amr, RFC 8176).
func (l *locale) methods(amr []string) (template.HTML, error) {
	var words []template.HTML
	for _, m := range amr {
		key := "method." + m
		if _, ok := l.texts[key]; !ok {
			words = append(words, bdi(m))
			continue
		}
		w, err := l.html(key)
		if err != nil {
			return "", err
		}
		words = append(words, w)
	}
	var out template.HTML
	for i, w := range words {
		if i > 0 {
			out += ", "
		}
		out += w
	}
	return out, nil
}

// handheld reports whether it is a phone or tablet, for the picture beside it.
func handheld(ua string) bool {
	_, system := useragent.Of(ua)
	return system == "iPhone" || system == "iPad" || system == "Android"
}
