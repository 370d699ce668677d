package view

import (
	"html/template"
	"strings"
)

// Browser names a browser and its system for people, "Firefox on Windows", from a User-Agent header. It is a help to
// recognise a device, never a decision: anybody can send any header. Unknown: "Unknown browser".
func Browser(ua string) string {
	name, system := browser(ua)
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

// Order matters: nearly every browser claims to be Chrome and Safari too.
var browserMarks = []struct{ mark, name string }{
	{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"Opera", "Opera"}, {"SamsungBrowser/", "Samsung Internet"},
	{"Vivaldi/", "Vivaldi"}, {"YaBrowser/", "Yandex Browser"}, {"DuckDuckGo/", "DuckDuckGo"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
	{"CriOS/", "Chrome"}, {"HeadlessChrome/", "Chrome"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"},
	{"Safari/", "Safari"}, {"curl/", "curl"}, {"Wget/", "Wget"}, {"git/", "Git"},
	{"Go-http-client/", "Go program"}, {"python-requests/", "Python program"}, {"Python-urllib/", "Python program"}, {"okhttp/", "Android app"},
}

var systemMarks = []struct{ mark, name string }{
	{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
	{"Macintosh", "macOS"}, {"Mac OS X", "macOS"}, {"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"}, {"Linux", "Linux"}, {"X11", "Unix"},
}

func browser(ua string) (name, system string) {
	ua = ua[:min(len(ua), 512)]
	for _, b := range browserMarks {
		if strings.Contains(ua, b.mark) {
			name = b.name
			break
		}
	}
	for _, s := range systemMarks {
		if strings.Contains(ua, s.mark) {
			system = s.name
			break
		}
	}
	return name, system
}

// device is Browser in the page's language.
func (l *locale) device(ua string) (template.HTML, error) {
	name, system := browser(ua)
	switch {
	case name == "" && system == "":
		return l.html("device.unknown")
	case name == "" || system == "":
		return bdi(name + system), nil
	}
	return l.html("device.on", "browser", name, "system", system)
}

// methods names how somebody signed in (amr, RFC 8176).
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

// handheld tells a phone or tablet, for the picture beside it.
func handheld(ua string) bool {
	_, system := browser(ua)
	return system == "iPhone" || system == "iPad" || system == "Android"
}
