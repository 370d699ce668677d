package edges

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// steps are what servers do to a path before they look at it (the table of docs/explanation/paths.md), each alone.
var steps = []func(string) string{
	percentDecode,
	func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
	func(s string) string { return perSegment(s, func(seg string) string { return until(seg, ";") }) },
	func(s string) string { return until(s, ";") },
	func(s string) string { return until(s, "?") },
	func(s string) string { return until(s, "#") },
	func(s string) string { return until(s, "\x00") },
	withoutAuthority,
	resolve,
	func(s string) string {
		return perSegment(s, func(seg string) string {
			if cut := strings.TrimRight(seg, " "); cut == "." || cut == ".." {
				return cut
			}
			return strings.TrimRight(seg, " .")
		})
	},
}

// readings are all ways in which a server may read a path: the closure of it under steps.
func readings(raw string) []string {
	all := []string{raw}
	seen := map[string]bool{raw: true}
	for i := 0; i < len(all) && len(all) < 2000; i++ {
		for _, step := range steps {
			next := step(all[i])
			if next == "" {
				next = "/"
			}
			if !seen[next] {
				seen[next] = true
				all = append(all, next)
			}
		}
	}
	return all
}

// refusable reports whether docs/explanation/paths.md lets the gateway refuse a path for all users.
func refusable(raw string, all []string) bool {
	if len(all) > 32 || len(raw) > 8192 || strings.Contains(raw, "#") {
		return true
	}
	plainDots := !strings.ContainsAny(raw, `%;\`) && !strings.Contains(raw, "//")
	for _, s := range all {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return true
		}
		if !plainDots && (strings.Contains(s, "/../") || strings.HasSuffix(s, "/..")) {
			return true
		}
	}
	return false
}

// pathMatches is Caddy's path matcher for patterns such as /admin/*: without regard to case, on the clean path.
func pathMatches(pattern, read string) bool {
	p := strings.ToLower(path.Clean("/" + read))
	if p != "/" && strings.HasSuffix(read, "/") { // Caddy keeps a slash at the end, and does not read "/a/." as "/a/"
		p += "/"
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(p, prefix)
	}
	return p == pattern
}

// isPublic is the option public: an exact path, or a prefix that ends in /*.
func isPublic(pattern, read string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(read, prefix)
	}
	return read == pattern
}

func percentDecode(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			out = append(out, hexValue(s[i+1])<<4|hexValue(s[i+2]))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

func hexValue(c byte) byte {
	v, _ := strconv.ParseUint(string(c), 16, 8)
	return byte(v)
}

func until(s, mark string) string {
	s, _, _ = strings.Cut(s, mark)
	return s
}

func perSegment(s string, change func(string) string) string {
	parts := strings.Split(s, "/")
	for i := range parts {
		parts[i] = change(parts[i])
	}
	return strings.Join(parts, "/")
}

// resolve removes dot segments and empty segments; a slash at the end stays.
func resolve(s string) string {
	clean := path.Clean("/" + s)
	if clean != "/" && (strings.HasSuffix(s, "/") || strings.HasSuffix(s, "/.") || strings.HasSuffix(s, "/..")) {
		clean += "/"
	}
	return clean
}

// withoutAuthority reads //host/path as a host and a path.
func withoutAuthority(s string) string {
	if !strings.HasPrefix(s, "//") {
		return s
	}
	if at := strings.IndexByte(s[2:], '/'); at >= 0 {
		return s[2+at:]
	}
	return "/"
}
