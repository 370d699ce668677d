package policy

import (
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// What follows reads a path as readings does, in the simplest way: every step is a function from text to text.

// slowSteps are what servers do to a path before they look at it, each alone. Readings are closed under them, so the
// order in which a server takes them does not matter.
var slowSteps = []func(string) string{
	slowDecodeLeniently,
	func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
	slowParameters, // servlet containers
	func(s string) string { return slowBefore(s, ";") },
	func(s string) string { return slowBefore(s, "?") }, // decoded first, split afterwards
	func(s string) string { return slowBefore(s, "#") },
	slowAuthority, // Node: new URL(req.url, base)
	slowTidy,
	slowTrimSegments, // Windows
}

// slowReadings lists every way in which servers are known to read a path, and those of other encodings of the same
// path.
func slowReadings(raw string, others ...string) (Path, error) {
	once, ok := slowDecode(raw)
	if !ok {
		return Path{}, errAmbiguous
	}
	literal := dotsAreAll(raw)
	seen := map[string]bool{raw: true}
	all := append(append(make([]string, 0, 8), raw), others...)
	for _, o := range others {
		seen[o] = true
	}
	for i := 0; i < len(all); i++ {
		s := all[i]
		if !slowIsText(s) || !literal && slowHasDotDot(s) {
			return Path{}, errAmbiguous
		}
		for _, step := range slowSteps {
			next := step(s)
			if next == "" {
				next = "/"
			}
			if seen[next] {
				continue
			}
			if len(all) > maxReadings {
				return Path{}, errAmbiguous
			}
			seen[next] = true
			all = append(all, next)
		}
	}
	p := Path{Canonical: slowTidy(once), Readings: all[:0]}
	for _, s := range all {
		if s != p.Canonical {
			p.Readings = append(p.Readings, s)
		}
	}
	return p, nil
}

func slowHasDotDot(s string) bool {
	return strings.Contains(s, "/../") || strings.HasSuffix(s, "/..")
}

// slowIsText refuses what no rule should have to think about: control bytes and text that is not UTF-8.
func slowIsText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// slowDecode resolves percent-encoding once; false when it is broken.
func slowDecode(s string) (string, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if i+2 >= len(s) || unhex(s[i+1]) > 15 || unhex(s[i+2]) > 15 {
				return "", false
			}
			i += 2
		}
	}
	return slowDecodeLeniently(s), true
}

// slowDecodeLeniently resolves percent-encoding once and keeps what is broken.
func slowDecodeLeniently(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi <= 15 && lo <= 15 {
				b = append(b, hi<<4|lo)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// slowTidy resolves dot segments and runs of slashes (RFC 3986 5.2.4 and what every server adds); a slash at the end
// stays.
func slowTidy(s string) string {
	t := path.Clean("/" + s)
	if t != "/" && (strings.HasSuffix(s, "/") || strings.HasSuffix(s, "/.") || strings.HasSuffix(s, "/..")) {
		t += "/"
	}
	return t
}

func slowBefore(s, mark string) string {
	s, _, _ = strings.Cut(s, mark)
	return s
}

// slowAuthority reads "//host/path" as a URL with a host.
func slowAuthority(s string) string {
	if !strings.HasPrefix(s, "//") {
		return s
	}
	if at := strings.IndexByte(s[2:], '/'); at >= 0 {
		return s[2+at:]
	}
	return "/"
}

// slowParameters cuts ";…" from every segment.
func slowParameters(s string) string {
	if strings.IndexByte(s, ';') < 0 {
		return s
	}
	return slowEachSegment(s, func(seg string) string { return slowBefore(seg, ";") })
}

// slowTrimSegments cuts spaces and dots from the end of every segment, "." and ".." excepted.
func slowTrimSegments(s string) string {
	if strings.IndexByte(s, '.') < 0 && strings.IndexByte(s, ' ') < 0 {
		return s
	}
	return slowEachSegment(s, func(seg string) string {
		if seg = strings.TrimRight(seg, " "); seg == "." || seg == ".." {
			return seg
		}
		return strings.TrimRight(seg, " .")
	})
}

func slowEachSegment(s string, change func(string) string) string {
	parts := strings.Split(s, "/")
	for i := range parts {
		parts[i] = change(parts[i])
	}
	return strings.Join(parts, "/")
}

// checkAgainstSlow wants a path refused, or read in every way in which the slow algorithm reads it and in no other.
func checkAgainstSlow(t *testing.T, raw string, others ...string) (read bool) {
	t.Helper()
	fast, err := readings(raw, others...)
	if err != nil {
		return false
	}
	slow, err := slowReadings(raw, others...)
	if err != nil {
		t.Fatalf("%q is read as %q, and the slow algorithm refuses it", raw, fast)
	}
	got, want := slices.Sorted(slices.Values(fast.Readings)), slices.Sorted(slices.Values(slow.Readings))
	if fast.Canonical != slow.Canonical || !slices.Equal(got, want) {
		t.Fatalf("%q is %q and %q, the slow algorithm says %q and %q", raw, fast.Canonical, got, slow.Canonical, want)
	}
	return true
}

// ED-10 R2 the quick algorithm reads every path as the slow one does, or refuses it, and it refuses only what is long.
func FuzzReadingsAreThoseOfTheSlowAlgorithm(f *testing.F) {
	for _, seed := range []string{"/a.;b%3fc%23d%255c//", `/a\b`, "/%5c..%5cx", "/x/..", "/./a/", "//h/p", "/a. /b",
		"/%zz", "/..;/", "/é", "/%e9", "/a/../b", "/;", "/%", "/ ./", "/...", "/a%2f%2e"} {
		f.Add(seed, "")
	}
	f.Add("/é", "/%C3%A9")
	f.Fuzz(func(t *testing.T, raw, other string) {
		if raw == "" || raw[0] != '/' || other != "" && other[0] != '/' {
			return
		}
		var others []string
		if other != "" && other != raw {
			others = []string{other}
		}
		if !checkAgainstSlow(t, raw, others...) && len(raw)+len(other) < 256 {
			if slow, err := slowReadings(raw, others...); err == nil {
				t.Fatalf("%q is refused, the slow algorithm reads %q", raw, slow)
			}
		}
	})
}

// ED-10 the same for random paths of nasty pieces, for the corpus of spellings, and for paths of real applications,
// which are read.
func TestReadingsAreThoseOfTheSlowAlgorithm(t *testing.T) {
	random, read := rand.New(rand.NewPCG(5, 6)), 0
	for i := range 40_000 {
		if checkAgainstSlow(t, costlyPath(random, 4+random.IntN(40)+i%200)) {
			read++
		}
	}
	if read < 2000 {
		t.Errorf("only %d of the random paths were read", read)
	}
	for _, real := range []string{"/group%2Fproject/-/blob", "/api/v4/projects/a%2Fb/repository/files/x%2Ey",
		"/api/queues/%2F/name", "/job/a%20b/1", "/_matrix/client/rooms/!a:b.c/send/m.room.message/%24x",
		"/applications/argocd%2Fguestbook", "/cool/https%3A%2F%2Fcloud.example.com%2Fwopi%2Ffiles%2F1_x%3Faccess_token%3D" +
			strings.Repeat("abcd", 400) + "%26ttl%3D0/ws", "/50%25%20off", "/c%23",
		"/wiki/" + strings.Repeat("%E3%82%A6", 400), "/files/" + strings.Repeat("a%20long%20name%20", 40) + ".pdf",
		"/a;v=1/b;v=2", "/x/" + strings.Repeat("a/", 900) + "%20"} {
		if !checkAgainstSlow(t, real) {
			t.Errorf("%.60s is refused", real)
		}
	}
}
