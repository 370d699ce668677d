package web

import (
	"net/url"
	"testing"
)

// CS-06 CVE-2021-21291 CVE-2024-21497: what a browser could read as another host is no way back.
func TestWayBackIsAPathOfThisHost(t *testing.T) {
	for _, good := range []string{"/", "/x", "/x?y=//z", "/a%2f%2fb", "/orders?next=https://evil.test/"} {
		if LocalPath(good) != good {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", "x", "//evil.test", "/\\evil.test", "\\\\evil.test", "https://evil.test",
		"javascript:alert(1)", "/\tx", "/x\r\nSet-Cookie: a", " /x", "/é", "/%zz"} {
		if LocalPath(bad) != "" {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzReturnTarget(f *testing.F) {
	for _, s := range []string{"/x?y=1", "//evil.test", "/\\evil.test", "/%2f%2fevil.test", "///x"} {
		f.Add(s)
	}
	base, _ := url.Parse("https://app.test/.truxe/login")
	f.Fuzz(func(t *testing.T, s string) {
		target := LocalPath(s)
		if target == "" {
			return
		}
		u, err := base.Parse(target)
		if err != nil || u.Host != "app.test" || u.Scheme != "https" {
			t.Fatalf("%q leads to %v (%v)", s, u, err)
		}
	})
}
