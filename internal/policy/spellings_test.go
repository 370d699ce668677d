package policy

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// ED-06 who asks whether a path is one of a set hears of every way to read it; a plain path has none but itself.
func TestSpellingsOfAPath(t *testing.T) {
	for target, want := range map[string][]string{
		"/admin;x/s":                {"/admin", "/admin/s"},
		"/x%2f..%2Fadmin":           nil, // refused
		"/%EF%BC%8Fadmin":           {"//admin", "/admin"},
		"/x/%EF%BC%8E./admin":       {"/x/../admin", "/admin"},
		"/%EF%BC%BCadmin":           {`/\admin`, "/admin"},
		"/%EF%BD%81dmin":            {"/admin"},
		"/admin%E2%88%95s":          {"/admin/s"},
		"/%E3%82%A6%E3%82%A3%E3%82": nil, // cut in the middle of a letter: refused
	} {
		r, ok := request(t, target)
		if !ok {
			t.Fatal(target)
		}
		path, err := Canonical(r)
		if (err != nil) != (want == nil) {
			t.Errorf("%s: %v", target, err)
		}
		for _, w := range want {
			if !slices.Contains(path.Spellings(), w) {
				t.Errorf("%s has no spelling %s: %q", target, w, path.Spellings())
			}
		}
	}
	r, _ := request(t, "/admin/x.y/")
	if path, err := Canonical(r); err != nil || path.Spellings() != nil {
		t.Errorf("a plain path: %q %v", path.Spellings(), err)
	}
}

// ED-06 R2 whatever four habits a server has, in any order: it reads a path as one of its spellings, or the path is
// refused.
func FuzzSpellingsHaveEveryReading(f *testing.F) {
	for _, target := range []string{"/admin;x=1/secret", "/x/..;/admin/secret", "/admin%5csecret", "/%61dmin/x",
		"//admin/", "/admin%2fx", "/admin%00/x", "/admin./x", "/a/..%2fadmin", "/%2561dmin", "/50%25%20off"} {
		f.Add(target, uint16(0x1234))
		f.Add(target, uint16(0x0017))
	}
	f.Fuzz(func(t *testing.T, target string, order uint16) {
		r, ok := request(t, target)
		// Go may write %21 for !, and nothing else
		if !ok || !strings.HasPrefix(target, "/") || isPlain(r.URL.Path) && r.URL.RawPath == "" {
			return
		}
		read, err := Canonical(r)
		if err != nil {
			return
		}
		names, server := slices.Sorted(maps.Keys(habits)), r.URL.EscapedPath()
		for range 4 {
			server = habits[names[int(order&15)%len(names)]](server)
			order >>= 4
		}
		server = path.Clean("/" + server)
		for _, s := range append(read.Spellings(), read.Canonical) {
			if path.Clean("/"+s) == server {
				return
			}
		}
		t.Fatalf("a server reads %q as %q, which is neither %q nor %q", target, server, read.Canonical, read.Spellings())
	})
}
