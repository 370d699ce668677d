package policy

import (
	"net/url"
	"testing"
)

// ED-10 the path that is judged is the one that net/http sends on, byte for byte.
func FuzzEscapedPathIsWhatGoSends(f *testing.F) {
	for _, seed := range [][2]string{{"/a b", ""}, {"/a/b", "/a%2Fb"}, {"/é", "/é"}, {"/!x", "/!x"}, {`/a\b`, `/a\b`},
		{"/[x]", "/[x]"}, {"/x", "/%zz"}, {"*", ""}, {"", ""}, {"/a;b,c", ""}, {"/%", "/%25"}, {"/%", "/%"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, path, raw string) {
		u := &url.URL{Path: path, RawPath: raw}
		if got, want := escapedPath(u), u.EscapedPath(); got != want && !(got == "" && len(want) > maxPath) {
			t.Fatalf("path %q, raw %q: %q, net/url says %q", path, raw, got, want)
		}
		if decoded, err := url.PathUnescape(raw); decodesTo(raw, path) != (err == nil && decoded == path) {
			t.Fatalf("raw %q decodes to %q, %v, and not to %q", raw, decoded, err, path)
		}
	})
}

// Every byte by itself, encoded or not.
func TestEveryByteIsEscapedAsGoDoes(t *testing.T) {
	for c := range 256 {
		for _, u := range []*url.URL{{Path: "/" + string([]byte{byte(c)})},
			{Path: "/" + string([]byte{byte(c)}), RawPath: "/" + string([]byte{byte(c)})}} {
			if got, want := escapedPath(u), u.EscapedPath(); got != want {
				t.Errorf("%q: %q, net/url says %q", u.Path, got, want)
			}
		}
	}
}
