package identityheader

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func FuzzStripReadsNamesAsCGIDoes(f *testing.F) {
	for _, seed := range []string{"Remote-User", "rEMOTE_uSER", "X-Truxe-", "x.truxe.zz", "-Remote-User", "",
		"X-Forwarded-User\x00"} {
		f.Add(seed)
	}
	s := site(f)
	f.Fuzz(func(t *testing.T, name string) {
		// invalid UTF-8 is one mark a byte, as in the package; strings.Map would merge or widen it
		folded := cgi(strings.Map(func(r rune) rune {
			if r >= 0x80 {
				return -1
			}
			return r
		}, name))
		h := http.Header{name: {"v"}}
		s.Strip(h)
		ascii := !strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 })
		if want := s.folded[folded] || strings.HasPrefix(folded, "X_TRUXE_"); ascii && want != (len(h) == 0) {
			t.Fatalf("%q: ours %v, removed %v", name, want, len(h) == 0)
		}
	})
}

func FuzzConnectionOptions(f *testing.F) {
	f.Add("close, Remote-User", "h2c")
	f.Add(",,\tUpgrade ,te", "websocket")
	f.Add(" ", "0")
	f.Fuzz(func(t *testing.T, line, upgrade string) {
		h := http.Header{"Connection": {line}, "Upgrade": {upgrade}}
		SanitizeConnection(h)
		for _, l := range h["Connection"] {
			for option := range strings.SplitSeq(l, ",") {
				option = strings.ToLower(strings.Trim(option, " \t"))
				if !slices.Contains([]string{"", "close", "keep-alive", "te", "upgrade"}, option) || option == "" &&
					strings.Trim(l, " \t") == "" {
					t.Fatalf("%q became %q", line, l)
				}
			}
		}
		before := strings.Join(h["Connection"], "|") + h.Get("Upgrade")
		SanitizeConnection(h)
		if after := strings.Join(h["Connection"], "|") + h.Get("Upgrade"); after != before {
			t.Fatalf("a second time gives %q after %q", after, before)
		}
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add("a{http.auth.user.id}b")
	f.Add("{{}}")
	f.Fuzz(func(t *testing.T, text string) {
		tmpl, err := parse(text)
		if err != nil {
			return
		}
		if got := tmpl.expand(Render(alice).in(false)); strings.ContainsAny(got, "{}\r\n\x00") {
			t.Fatalf("%q gives %q", text, got)
		}
	})
}
