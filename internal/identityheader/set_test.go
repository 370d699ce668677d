package identityheader

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"pgregory.net/rapid"
)

// HD-01 any spelling that CGI or PHP reads as one of ours is removed; every other header survives byte by byte.
func TestAnySpellingOfOursIsRemovedAndNothingElse(t *testing.T) {
	s := site(t)
	names := slices.Collect(maps.Keys(s.folded))
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		spelled := []byte(rapid.SampledFrom(names).Draw(t, "name"))
		for i, c := range spelled {
			if c == '_' {
				spelled[i] = rapid.SampledFrom([]byte("-_.+~!#$%&'*^`| \x00\xff")).Draw(t, "mark")
			} else if rapid.Bool().Draw(t, "lower") {
				spelled[i] = strings.ToLower(string(c))[0]
			}
		}
		other := rapid.StringMatching(`[A-Za-z0-9_.+~-]{1,80}`).Draw(t, "other")
		value := rapid.String().Draw(t, "value")
		h := http.Header{string(spelled): {"root"}, other: {value, value}}
		s.Strip(h)
		if _, there := h[string(spelled)]; there && cgi(other) != cgi(string(spelled)) {
			t.Fatalf("%q stays", spelled)
		}
		isOurs := slices.Contains(names, cgi(other)) || strings.HasPrefix(cgi(other), "X_TRUXE_")
		if v, there := h[other]; there == isOurs || there && !slices.Equal(v, []string{value, value}) {
			t.Fatalf("%q: there %v %q, ours %v", other, there, v, isOurs)
		}
	})
}

// HD-01 `headers none` sets nothing and still refuses every name that is or could be ours.
func TestHeadersNoneStillStrips(t *testing.T) {
	s, err := compileAlone(Config{None: true, Preset: "grafana"})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Remote-User": {"root"}, "X_truxe.whatever": {"1"}, "X-Webauth-User": {"root"}, "Accept": {"*/*"},
		"X-Truxe-" + strings.Repeat("a", 100): {"1"}}
	s.Strip(h)
	if len(h) != 1 || h.Get("Accept") != "*/*" {
		t.Errorf("left: %v", h)
	}
	s.Apply(h, Render(alice))
	if len(h) != 1 {
		t.Errorf("headers none set something: %v", h)
	}
}

// CONTRACT section 4: the default set.
func TestUpstreamLearnsWhoItIs(t *testing.T) {
	s, err := compileAlone(Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	s.Apply(h, Render(alice))
	want := map[string]string{"Remote-User": "alice", "Remote-Name": "Alice", "Remote-Email": "alice@example.com",
		"Remote-Groups":   "staff,editor",
		"X-Truxe-User-Id": "u1", "X-Truxe-Session": "s1", "X-Truxe-Amr": "pwd"}
	for name, v := range want {
		if got := h[name]; len(got) != 1 || got[0] != v {
			t.Errorf("%s: %q, want %q", name, got, v)
		}
	}
	if len(h) != len(want) {
		t.Errorf("more than that: %v", h)
	}
}

// HD-03 a value is one line of printable ASCII, decodes to what it was, and never splits into more roles than there
// are.
func TestValuesAreOneUnambiguousLine(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ ,|%\r\n\x00a-cü]{0,12}`))
	rapid.Check(t, func(t *rapid.T) {
		p := &identity.Principal{Username: text.Draw(t, "name"), Roles: rapid.SliceOfN(text, 0, 4).Draw(t, "roles")}
		v := Render(p)
		for i, s := range v.text {
			if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) || strings.TrimSpace(s) != s {
				t.Fatalf("value %d: %q", i, s)
			}
		}
		if back, err := url.PathUnescape(v.text[vName]); err != nil || back != p.Username {
			t.Fatalf("%q is sent as %q, read as %q %v", p.Username, v.text[vName], back, err)
		}
		want := slices.DeleteFunc(slices.Clone(p.Roles), func(r string) bool { return r == "" })
		for kind, separator := range map[value]string{vRoles: ",", vRolesBar: "|", vRolesSpace: " "} {
			var got []string
			if v.text[kind] != "" {
				got = strings.Split(v.text[kind], separator)
			}
			for i := range got {
				got[i], _ = url.PathUnescape(got[i])
			}
			if !slices.Equal(got, want) {
				t.Fatalf("roles %q arrive as %q", want, got)
			}
		}
	})
	if got := Render(&identity.Principal{Username: "x\r\nRemote-Groups: admin",
		Name: "Jürgen 100%"}); got.text[vName] != "x%0D%0ARemote-Groups: admin" ||
		got.text[vDisplay] != "J%C3%BCrgen 100%25" {
		t.Errorf("%q", got.text)
	}
}

// Two requests of one person, one edited in place as Caddy's request_header does it: the other must not change.
func TestEditingOneRequestsHeaderLeavesTheOthers(t *testing.T) {
	s, v := site(t), Render(alice)
	a, b := http.Header{}, http.Header{}
	s.Apply(a, v)
	a["Remote-User"][0] = "edited"
	a["Remote-User"] = append(a["Remote-User"], "more")
	s.Apply(b, v)
	if got := b["Remote-User"]; len(got) != 1 || got[0] != "alice" {
		t.Errorf("the other request says %q", got)
	}
	if got := a["Remote-Name"]; len(got) != 1 || got[0] != "Alice" {
		t.Errorf("the append went into the next header: %q", got)
	}
}

// HD-06 a forward-auth 200 has every header, empty where there is none.
func TestEmptySetHasEveryHeader(t *testing.T) {
	s, err := compileAlone(Config{Assertion: true, Custom: []Custom{{"X-Auth-User", "id:{http.auth.user.id}"}}})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	s.ApplyEmpty(h)
	for _, name := range []string{User, Name, Email, Groups, UserID, Session, AMR, Assertion, "X-Auth-User"} {
		if v, ok := h[name]; !ok || len(v) != 1 || v[0] != "" {
			t.Errorf("%s: %q %v", name, v, ok)
		}
	}
	if !s.assertion {
		t.Error("assertion on is forgotten")
	}
	s.SetAssertion(h, "a.b.c")
	if h.Get(Assertion) != "a.b.c" {
		t.Error("no assertion")
	}
}

// A template takes the listed placeholders only, and never expands what a value says (GHSA-j8px-rmrx-76h9).
func TestTemplatesExpandOnlyOurPlaceholders(t *testing.T) {
	for _, bad := range []string{"{env.HOME}", "{file./etc/passwd}", "{http.auth.user}", "{http.auth.user.nam}",
		"{http.auth.candidate.id}", "{", "a{b", "}", "x\ny", "ü", "{http.truxe.amr}", strings.Repeat("a", 2000)} {
		if _, err := compileAlone(Config{Custom: []Custom{{"X-A", bad}}}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	s, err := compileAlone(Config{None: true, Custom: []Custom{{"X-A",
		"<{http.auth.user.name}|{http.auth.user.display_name}|{http.auth.user.email}|{http.auth.user.roles}|{http.truxe.session}>"}, {"X-B", ""}, {"X-C", "fixed"}}})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	s.Apply(h, Render(&identity.Principal{Username: "{env.HOME}", Name: "{http.auth.user.name}", Roles: []string{"r"},
		SessionID: "s"}))
	if got := h.Get("X-A"); got != "<{env.HOME}|{http.auth.user.name}||r|s>" || h.Get("X-C") != "fixed" ||
		h["X-B"] != nil {
		t.Errorf("%q", h)
	}
	if _, err := compileAlone(Config{Custom: []Custom{{"X-A", "{http.auth.user.nmae}"}}}); err == nil ||
		!strings.Contains(err.Error(), `"http.auth.user.name"`) {
		t.Errorf("no hint: %v", err)
	}
}

// A person without a display name: the header is left out, and a client cannot fill the gap.
func TestForgedHeaderDoesNotFillTheGapOfAnEmptyValue(t *testing.T) {
	s, err := compileAlone(Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Remote-Name": {"Mallory"}, "Remote_name": {"Mallory"}, "X-Other": {"stays"}}
	s.Strip(h)
	s.Apply(h, Render(&identity.Principal{Username: "al"}))
	if len(h[Name]) != 0 || h["Remote_name"] != nil || h.Get(User) != "al" || h.Get("X-Other") != "stays" {
		t.Errorf("%q", h)
	}
}

// A configured name is a token, no steering header, not one of ours and not there twice.
func TestConfiguredNamesAreChecked(t *testing.T) {
	for _, bad := range []string{"", "a b", "a:b", "ü", "a\x00", "-", "Host", "cookie", "AUTHORIZATION", "Set_Cookie",
		"connection", "Transfer-Encoding", "Content.Length", "TE",
		"Upgrade", "Keep-Alive", "Proxy-Authorization", "Sec-Fetch-Mode", "X-Forwarded-For", "X-Original-URL", "X-Truxe-Mine",
		"x_truxe_user_id", strings.Repeat("a", 65)} {
		if _, err := compileAlone(Config{Custom: []Custom{{bad, "x"}}}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	for _, good := range []string{"X-WEBAUTH-USER", "REMOTE_USER", "x.user", "X-Forwarded-User", "U",
		strings.Repeat("a", 64)} {
		if _, err := compileAlone(Config{Custom: []Custom{{good, "x"}}}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	if _, err := compileAlone(Config{Custom: []Custom{{"X-User", "1"}, {"x_user", "2"}}}); err == nil {
		t.Error("one header twice is accepted")
	}
	s, err := compileAlone(Config{Custom: []Custom{{"remote_user", "{http.auth.user.email}"}}})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	if s.Apply(h, Render(alice)); h["Remote_user"][0] != "alice@example.com" || h["Remote-User"] != nil {
		t.Errorf("a configured name replaces what CGI reads the same: %v", h)
	}
}

// FIELD section 5: a preset for each app and peer; the separator it reads.
func TestPresetsSpeakEachAppsNames(t *testing.T) {
	for preset, want := range map[string]string{
		"grafana": "X-Webauth-User=alice", "gitea": "X-Webauth-Fullname=Alice", "jenkins": "X-Forwarded-Groups=staff|editor",
		"paperless": "Remote-User=alice",
		"freshrss":  "X-Webauth-User=alice", "miniflux": "Remote-User=alice", "organizr": "Remote-Email=alice@example.com",
		"seerr":   "Remote-Email=alice@example.com",
		"seafile": "Remote-User=alice", "jira": "Remote-User=alice", "guacamole": "Remote-User=alice",
		"firefly":     "Remote-User=alice@example.com",
		"calibre-web": "Remote-User=alice", "home-assistant": "X-Forwarded-Preferred-Username=alice",
		"2fauth":      "Remote-User=alice",
		"cloudbeaver": "X-Role=staff|editor", "koel": "Remote-Preferred-Name=Alice", "authelia": "Remote-Groups=staff,editor",
		"authentik":    "X-Authentik-Groups=staff|editor",
		"oauth2-proxy": "X-Forwarded-Groups=staff,editor", "caddy-security": "X-Token-User-Roles=staff editor",
		"vouch":    "X-Vouch-User=alice@example.com",
		"tinyauth": "Remote-Sub=u1", "forgejo": "X-Webauth-Email=alice@example.com",
	} {
		s, err := compileAlone(Config{Preset: preset})
		if err != nil {
			t.Errorf("%s: %v", preset, err)
			continue
		}
		name, v, _ := strings.Cut(want, "=")
		h := http.Header{}
		if s.Apply(h, Render(alice)); h.Get(name) != v {
			t.Errorf("%s: %s is %q, want %q", preset, name, h.Get(name), v)
		}
		spoof := http.Header{strings.ReplaceAll(name, "-", "_"): {"root"}}
		if s.Strip(spoof); len(spoof) != 0 {
			t.Errorf("%s: a client may send %v", preset, spoof)
		}
		for n := range h {
			if err := checkName(n); err != nil && !strings.Contains(err.Error(), "X-Truxe-") {
				t.Errorf("%s: %v", preset, err)
			}
		}
	}
	if _, err := compileAlone(Config{Preset: "grafna"}); err == nil || !strings.Contains(err.Error(), `"grafana"`) {
		t.Errorf("no hint: %v", err)
	}
}
