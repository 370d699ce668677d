package gate

import (
	"net/http"
	"slices"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/problem"
)

// ED-24 CONTRACT section 3: the clients that get a Basic challenge, and those that would show a native prompt for it.
func TestBasicChallengeIsForClientsThatAreNoBrowser(t *testing.T) {
	const (
		chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
		ie     = "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"
	)
	for _, c := range []struct {
		name    string
		method  string
		headers []string
		want    bool
	}{
		{"git", "GET", []string{"User-Agent", "git/2.47.3", "Accept", "*/*", "Accept-Language", "en-US, *;q=0.9",
			"Git-Protocol", "version=2"}, true},
		{"git pushes", "POST", []string{"User-Agent", "git/2.47.3", "Accept", "application/x-git-receive-pack-result"}, true},
		{"curl", "GET", []string{"User-Agent", "curl/8.14.1", "Accept", "*/*"}, true},
		{"wget", "GET", []string{"User-Agent", "Wget/1.25.0", "Accept", "*/*", "Accept-Encoding", "identity"}, true},
		{"Finder", "PROPFIND", []string{"User-Agent", "WebDAVFS/3.0.0 (03008000) Darwin/24.0.0", "Depth", "0"}, true},
		{"Explorer", "PROPFIND", []string{"User-Agent", "Microsoft-WebDAV-MiniRedir/10.0.26100", "Translate", "f"}, true},
		{"davfs2", "OPTIONS", []string{"User-Agent", "davfs2/1.7.0 neon/0.34.0"}, true},
		{"DAVx5", "REPORT", []string{"User-Agent", "DAVx5/4.4 (okhttp/4.12)"}, true},
		{"pip", "GET", []string{"User-Agent", `pip/25.1 {"ci":null}`, "Accept",
			"application/vnd.pypi.simple.v1+json, text/plain; q=0.1"}, true},
		{"a Go program", "GET", []string{"User-Agent", "Go-http-client/1.1"}, true},
		{"a program that does not say what it is", "GET", []string{"Accept", "*/*"}, false},
		{"an empty name", "GET", []string{"User-Agent", " "}, false},
		{"curl as a browser", "GET", []string{"User-Agent", "curl/8.14.1", "Accept", "text/html,*/*"}, false},
		{"pip as it once was", "GET", []string{"User-Agent", "pip/9.0.1", "Accept", "TEXT/HTML"}, false},
		{"a page's image", "GET", []string{"User-Agent", chrome, "Accept", "image/avif,*/*", "Sec-Fetch-Mode", "no-cors"},
			false},
		{"a browser under another name", "GET", []string{"User-Agent", "curl/8", "Accept", "*/*", "Sec-Fetch-Site",
			"same-origin"}, false},
		{"client hints", "GET", []string{"User-Agent", "kiosk/1", "Sec-Ch-Ua", `"Chromium";v="141"`}, false},
		{"a browser without Fetch Metadata", "GET", []string{"User-Agent", ie, "Accept", "*/*"}, false},
		{"its WebDAV script", "PROPFIND", []string{"User-Agent", ie, "Depth", "1"}, false},
		{"an image of Safari 15", "GET",
			[]string{"User-Agent", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605.1.15", "Accept",
				"image/*"}, false},
		{"Opera Mini", "GET", []string{"User-Agent", "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1) Presto/2.8", "Accept", "*/*"},
			false},
		{"Lynx", "GET", []string{"User-Agent", "Lynx/2.9.2 libwww-FM/2.14", "Accept", "image/png"}, false},
		{"w3m", "GET", []string{"User-Agent", "w3m/0.5.3", "Accept", "image/*"}, false},
		{"ELinks", "GET", []string{"User-Agent", "ELinks/0.16 (textmode)", "Accept", "*/*"}, false},
		{"an old phone", "GET", []string{"User-Agent", "Nokia6230i/2.0 (03.80) Profile/MIDP-2.0", "Accept", "*/*"}, false},
		{"XHR", "GET", []string{"User-Agent", "app/1", "X-Requested-With", "XMLHttpRequest"}, false},
		{"CORS", "POST", []string{"User-Agent", "app/1", "Origin", "https://spa.test"}, false},
		{"a page's part", "GET", []string{"User-Agent", "app/1", "Referer", "https://app.test/"}, false},
		{"an old navigation", "GET", []string{"User-Agent", "app/1", "Upgrade-Insecure-Requests", "1"}, false},
		{"a WebSocket", "GET", []string{"User-Agent", "app/1", "Connection", "Upgrade", "Upgrade", "websocket"}, false},
	} {
		r := &http.Request{Method: c.method, Header: http.Header{}}
		for i := 0; i+1 < len(c.headers); i += 2 {
			r.Header.Set(c.headers[i], c.headers[i+1])
		}
		h := http.Header{}
		challenge(h, &request{Request: r, socket: isWebSocket(r)}, problem.Bearer)
		want := []string{"Bearer"}
		if c.want {
			want = append(want, basicChallenge)
		}
		if got := h["Www-Authenticate"]; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
}
