package identityheader

import (
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

func compile(t testing.TB, c Config) *alone {
	t.Helper()
	s, err := compileAlone(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// HD-01 CVE-2026-52845 CVE-2025-64484: every spelling that CGI or PHP reads as one of ours is removed, also with
// `headers none`.
func TestForgedIdentityIsRemovedInEverySpelling(t *testing.T) {
	for _, c := range []Config{{}, {None: true}, {Preset: "grafana"}, {Custom: []Custom{{"X-Auth-User",
		"{http.auth.user.name}"}}}} {
		s := compile(t, c)
		for _, name := range []string{"Remote-User", "remote-user", "Remote_User", "REMOTE.USER", "Remote+Groups",
			"Remote~Groups", "X-Truxe-Anything", "x_truxe_session", "Remote!Email"} {
			h := http.Header{name: {"root"}, "Accept": {"*/*"}, "X-Remote": {"1"}, "Remote-Users": {"2"}}
			s.Strip(h)
			if _, there := h[name]; there || len(h) != 3 {
				t.Errorf("%+v: %s: %v", c, name, h)
			}
		}
	}
	s := compile(t, Config{Custom: []Custom{{"X-Auth-User", "{http.auth.user.name}"}}})
	h := http.Header{"X_auth.User": {"root"}}
	if s.Strip(h); len(h) != 0 {
		t.Error("a configured name is not protected:", h)
	}
}

// HD-01: whatever folds equal is removed, whatever does not keeps its bytes.
func TestStripRemovesExactlyWhatFoldsEqual(t *testing.T) {
	s := compile(t, Config{})
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringMatching(`[A-Za-z0-9!#$%&'*+.^_|~-]{1,40}`).Draw(rt, "name")
		h := http.Header{name: {"v"}}
		s.Strip(h)
		_, kept := h[name]
		folded := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				return r - 32
			}
			if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
				return r
			}
			return '_'
		}, name)
		ours := strings.HasPrefix(folded, "X_TRUXE_") || folded == "REMOTE_USER" || folded == "REMOTE_NAME" ||
			folded == "REMOTE_EMAIL" || folded == "REMOTE_GROUPS"
		if kept == ours {
			rt.Fatalf("%q: kept %v, ours %v", name, kept, ours)
		}
	})
}

// HD-02 CVE-2024-45410: Connection cannot name our headers; what belongs to the connection stays.
func TestConnectionCannotNominateOurHeaders(t *testing.T) {
	for in, want := range map[string]string{"close, X-Truxe-User-Id": "close", "Remote-User": "",
		"Upgrade, remote-user": "upgrade", "keep-alive": "keep-alive", "TE, close": "te, close"} {
		h := http.Header{"Connection": {in}, "Upgrade": {"websocket"}}
		SanitizeConnection(h)
		if got := strings.Join(h["Connection"], "|"); got != want || h.Get("Upgrade") == "" {
			t.Errorf("%q -> %q, want %q", in, got, want)
		}
	}
	// HD-09: h2c is not passed on
	h := http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"x"}}
	if SanitizeConnection(h); h.Get("Upgrade") != "" || h.Get("Http2-Settings") != "" {
		t.Error(h)
	}
}

// HD-03 CWE-93: values are one line of printable ASCII and can be decoded.
func TestHostileNamesBecomeOneEncodedLine(t *testing.T) {
	p := &identity.Principal{UserID: "1", Username: "a\r\nX: y\x00é%", Email: "a@b",
		Roles: []string{"a,b", "c|d", "plain"}, SessionID: "s", Proof: identity.Proof{AMR: []string{"pwd"}}}
	v, h := Render(p), http.Header{}
	compile(t, Config{}).Apply(h, v)
	if h.Get(User) != "a%0D%0AX: y%00%C3%A9%25" || h.Get(Groups) != "a%2Cb,c%7Cd,plain" {
		t.Error(h)
	}
	h.Add(User, "second") // an append must not reach the shared slice
	other := http.Header{}
	if compile(t, Config{}).Apply(other, v); len(other[User]) != 1 {
		t.Error("shared slice was changed:", other)
	}
}

// HD-06 CVE-2026-30851: every header is named, empty where there is none.
func TestEmptyAnswersNameEveryHeader(t *testing.T) {
	h := http.Header{}
	compile(t, Config{}).ApplyEmpty(h)
	for _, name := range []string{User, Name, Email, Groups, UserID, Session, AMR} {
		if v := h[name]; len(v) != 1 || v[0] != "" {
			t.Errorf("%s: %q", name, v)
		}
	}
}

func TestPresetsAndTemplatesAreCheckedWhenCompiled(t *testing.T) {
	for _, bad := range []Config{{Preset: "grafanna"}, {Custom: []Custom{{"Connection", "x"}}},
		{Custom: []Custom{{"X-A", "{env.SECRET}"}}}, {Custom: []Custom{{"X-A", "{http.auth"}}}, {Custom: []Custom{{"X A",
			"x"}}}} {
		if _, err := compileAlone(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	if _, err := compileAlone(Config{Preset: "grafanna"}); !strings.Contains(err.Error(), `did you mean "grafana"`) {
		t.Error(err)
	}
	h, v := http.Header{}, Render(&identity.Principal{Username: "al", Roles: []string{"a", "b"}})
	compile(t, Config{Preset: "jenkins", Custom: []Custom{{"X-Who", "user={http.auth.user.name}"}}}).Apply(h, v)
	if h.Get("X-Forwarded-Groups") != "a|b" || h.Get("X-Who") != "user=al" || h.Get("X-Forwarded-User") != "al" {
		t.Error(h)
	}
	for name := range presets {
		compile(t, Config{Preset: name})
	}
}

func FuzzStrip(f *testing.F) {
	s, _ := compileAlone(Config{})
	f.Add("Remote_User")
	f.Fuzz(func(t *testing.T, name string) {
		h := http.Header{name: {"x"}}
		if s.Strip(h); len(h) != 0 && s.Has(name) {
			t.Fatal(name)
		}
	})
}

func FuzzConnection(f *testing.F) {
	f.Add("close, X-Truxe-User-Id")
	f.Fuzz(func(t *testing.T, v string) {
		h := http.Header{"Connection": {v}}
		SanitizeConnection(h)
		if strings.Contains(strings.ToLower(h.Get("Connection")), "truxe") {
			t.Fatal(v)
		}
	})
}

func BenchmarkStripAndApply(b *testing.B) {
	s, _ := compileAlone(Config{})
	v := Render(&identity.Principal{UserID: "u", Username: "al", Email: "a@b.c", Roles: []string{"x"}, SessionID: "s",
		Proof: identity.Proof{AMR: []string{"pwd"}}})
	h := http.Header{"Accept": {"*/*"}, "User-Agent": {"x"}, "Accept-Encoding": {"gzip"}, "Cookie": {"a=b"},
		"X-Forwarded-For": {"1.2.3.4"}}
	b.ReportAllocs()
	for b.Loop() {
		s.Strip(h)
		s.Apply(h, v)
	}
}
