// Package useragent names browsers and systems in words that users know. It helps to recognise a device and never
// decides: any client can send any header.
package useragent

import "strings"

// Order matters: nearly every browser claims to be Chrome and Safari too.
var browserMarks = []struct{ mark, name string }{
	{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"Opera", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Vivaldi/", "Vivaldi"}, {"YaBrowser/", "Yandex Browser"}, {"DuckDuckGo/", "DuckDuckGo"}, {"FxiOS/", "Firefox"},
	{"Firefox/", "Firefox"},
	{"CriOS/", "Chrome"}, {"HeadlessChrome/", "Chrome"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"},
	{"Safari/", "Safari"}, {"curl/", "curl"}, {"Wget/", "Wget"}, {"git/", "Git"},
	{"Go-http-client/", "Go program"}, {"python-requests/", "Python program"}, {"Python-urllib/", "Python program"},
	{"okhttp/", "Android app"},
}

var systemMarks = []struct{ mark, name string }{
	{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
	{"Macintosh", "macOS"}, {"Mac OS X", "macOS"}, {"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"}, {"Linux", "Linux"},
	{"X11", "Unix"},
}

// Of names the browser and the system of a User-Agent header, or "" for what it does not say.
func Of(ua string) (browser, system string) {
	ua = ua[:min(len(ua), 512)]
	for _, b := range browserMarks {
		if strings.Contains(ua, b.mark) {
			browser = b.name
			break
		}
	}
	for _, s := range systemMarks {
		if strings.Contains(ua, s.mark) {
			system = s.name
			break
		}
	}
	return browser, system
}
