package policy

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// What follows is a slow second opinion that shares no code with the package: what a server may do to a path, one habit
// a function, and rules as regular expressions.
var habits = map[string]func(string) string{
	"decode": func(s string) string {
		return regexp.MustCompile(`%[0-9a-fA-F]{2}`).ReplaceAllStringFunc(s, func(m string) string {
			u, _ := url.PathUnescape(m)
			return u
		})
	},
	"backslash":     func(s string) string { return regexp.MustCompile(`\\`).ReplaceAllString(s, "/") },
	"parameters":    func(s string) string { return regexp.MustCompile(`;[^/]*`).ReplaceAllString(s, "") },
	"cut semicolon": func(s string) string { return regexp.MustCompile(`(?s);.*`).ReplaceAllString(s, "") },
	"cut query":     func(s string) string { return regexp.MustCompile(`(?s)\?.*`).ReplaceAllString(s, "") },
	"cut fragment":  func(s string) string { return regexp.MustCompile(`(?s)#.*`).ReplaceAllString(s, "") },
	"merge slashes": func(s string) string { return regexp.MustCompile(`/+`).ReplaceAllString(s, "/") },
	"authority":     func(s string) string { return regexp.MustCompile(`^//[^/]*`).ReplaceAllString(s, "") },
	"windows":       func(s string) string { return regexp.MustCompile(`([^/. ])[. ]+(/|$)`).ReplaceAllString(s, "$1$2") },
	"remove dots": func(s string) string { // RFC 3986 5.2.4: an empty segment is a segment
		var out []string
		in := strings.Split(strings.TrimPrefix(s, "/"), "/")
		for i, seg := range in {
			switch {
			case seg == "." || seg == "..":
				if seg == ".." && len(out) > 0 {
					out = out[:len(out)-1]
				}
				if i == len(in)-1 {
					out = append(out, "")
				}
			default:
				out = append(out, seg)
			}
		}
		return "/" + strings.Join(out, "/")
	},
}

// slowEval: 3 public, 2 allowed, 1 sign in, 0 refused, for the rules of matrixRules.
func slowEval(path string, p *identity.Principal) int {
	switch {
	case p != nil && p.HasRole("member") && regexp.MustCompile(`(?s)^/admin/.*$`).MatchString(path):
		return 0
	case regexp.MustCompile(`(?s)^/public/.*$`).MatchString(path):
		return 3
	case p == nil:
		return 1
	}
	return 2
}

// AZ-02 R2: for random paths of nasty pieces and a server with any habits in any order, the decision is never more open
// than the rules are for the path that the server reads.
func TestNoServerReadsAPathThatTheDecisionDidNotCover(t *testing.T) {
	s := matrixRules(t)
	names := []string{"decode", "backslash", "parameters", "cut semicolon", "cut query", "cut fragment", "merge slashes",
		"authority", "windows", "remove dots"}
	pieces := []string{"/", "/", "public", "admin", "x", ".", "..", ";", "%2f", "%5c", "\\", "%2e", "%252f", "%252e",
		"%255c", "%3b", "%3f", "%23", "%20", "%61dmin", "%70ublic", "%2561", "%", "?q", ";a=b", "..;", "/public/", "/admin/"}
	judged, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		target := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(rt, "pieces"), "")
		p := rapid.SampledFrom([]*identity.Principal{nil, {Username: "m", Roles: []string{"member"}},
			{Username: "u"}}).Draw(rt, "who")
		d, _, ok := ask(t, s, "GET", target, p)
		if !ok {
			refused++
			return
		}
		judged++
		read, _, _ := strings.Cut(target, "?")
		for _, habit := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 6).Draw(rt, "habits") {
			if read = habits[habit](read); read == "" {
				read = "/"
			}
		}
		if got, most := d.openness(), slowEval(read, p); got > most {
			rt.Fatalf("%s is %+v, but the server reads %s", target, d, read)
		}
	})
	if judged == 0 || refused == 0 {
		t.Fatalf("%d judged, %d refused: one side was never tried", judged, refused)
	}
}

// AZ-07 a path that is not public stays so in every encoding of its bytes.
func TestNoEncodingOfAPrivatePathIsPublic(t *testing.T) {
	s := matrixRules(t)
	rapid.Check(t, func(rt *rapid.T) {
		private := "/" + rapid.StringMatching(`(admin|x|publi|publicity)(/[a-z]{1,4}){0,3}`).Draw(rt, "path")
		var b strings.Builder
		for i := range len(private) {
			switch rapid.IntRange(0, 5).Draw(rt, "form") {
			case 0:
				b.WriteString("%" + string("0123456789abcdef"[private[i]>>4]) + string("0123456789ABCDEF"[private[i]&15]))
			case 1:
				if private[i] == '/' {
					b.WriteString(rapid.SampledFrom([]string{"//", "/./", "/public/../", "/%2e/", "\\", "%5c", "/;/",
						"/public/%2e%2e/"}).Draw(rt, "slash"))
					continue
				}
				fallthrough
			default:
				b.WriteByte(private[i])
			}
		}
		target := b.String()
		if target[0] != '/' {
			target = "/" + target
		}
		if d, path, _ := ask(t, s, "GET", target, nil); d.Allow {
			rt.Fatalf("%s is public as %s, read as %s", private, target, path)
		}
	})
}

// A path made to have as many readings as it can costs bounded time and room.
func TestReadingsAreBounded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		raw := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", ";", "%3f", "%23", "%5c", "//", "%252f",
			"%25255c", "%20", ".%20", "%2541"}), 0, 30).Draw(rt, "pieces"), "")
		if p, err := canonical(raw); err == nil && (len(p.Readings) > maxReadings || p.Canonical == "") {
			rt.Fatalf("%s: %d readings", raw, len(p.Readings))
		}
	})
}
