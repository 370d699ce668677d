package mail

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write what the notices say now into testdata")

func writer() Writer {
	return Writer{Brand: "Example", Support: "help@example.com", Base: "/.truxe",
		Origin: func(string) string { return "https://auth.example.com" },
		Known:  func(host string) bool { return host == "app.example.com" }}
}

func facts() Facts {
	return Facts{Account: "pia", At: time.Date(2026, 11, 25, 9, 5, 7, 0, time.FixedZone("CET", 3600)),
		Address: "2001:db8::7", Browser: "Firefox", System: "Windows",
		Host: "app.example.com"}
}

func encoded(t testing.TB, f Facts) string {
	t.Helper()
	text, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// MF-11 PW-10 CS-08: what each notice says: when with its zone, from which address and browser, and where to look if it
// was someone else. `go test ./internal/mail -update` writes it down.
func TestEachNoticeSaysWhatHappenedAndWhereToLook(t *testing.T) {
	cases := map[string]Facts{}
	for kind, words := range notices {
		cases[kind] = facts()
		for factor := range words.by {
			f := facts()
			f.Factor = factor
			cases[kind+"-"+factor] = f
		}
	}
	other := facts()
	other.Other = true
	cases[PasswordChanged+"-by-another"] = other
	cases[NewBrowser+"-unknown"] = Facts{Account: "pia", At: facts().At}
	if len(cases) < 17 {
		t.Fatalf("%d notices", len(cases))
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		kind, _, _ := strings.Cut(name, "-")
		m, err := writer().Write(kind, encoded(t, cases[name]))
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Text)+len(m.HTML) > 16<<10 {
			t.Errorf("%s: %d bytes", name, len(m.Text)+len(m.HTML))
		}
		checkHTML(t, name, m.HTML)
		got := "Subject: " + m.Subject + "\n\n" + m.Text + "\n==========\n\n" + m.HTML
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s has become\n%s\n(go test ./internal/mail -update writes it down) %v", file, got, err)
		}
	}
}

// checkHTML holds that a mail loads nothing and leads to one place.
func checkHTML(t *testing.T, name, text string) {
	t.Helper()
	for node := range mustParse(t, text).Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		if slices.Contains([]string{"img", "link", "script", "iframe", "object", "embed", "form", "base", "svg", "video",
			"audio", "style", "input"}, node.Data) {
			t.Errorf("%s: <%s> in a mail", name, node.Data)
		}
		for _, a := range node.Attr {
			switch {
			case a.Key == "href" && strings.HasPrefix(a.Val, "https://auth.example.com/.truxe/account/") &&
				!strings.Contains(a.Val, "?"):
			case a.Key == "href", a.Key == "src", a.Key == "background", strings.HasPrefix(a.Key, "on"),
				a.Key == "style" && strings.Contains(a.Val, "url("):
				t.Errorf("%s: %s=%q in a mail", name, a.Key, a.Val)
			}
		}
	}
}

func mustParse(t *testing.T, text string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

var hostile = []string{"a\r\nBcc: all@example.com", "\u202egro.elpmaxe\u2066", "<script>alert(1)</script>",
	`"><img src=https://evil.example/x>`, "a\x00b\x1b[2J", "\xff\xfe",
	"=?utf-8?q?=0D=0ABcc:_x?=", strings.Repeat("é", 5000), "https://evil.example/", "{{.Link}}", "javascript:alert(1)"}

var outline = regexp.MustCompile(`<[^>]*>`)

// CS-08 CS-11: whatever a name, an address, a header or the brand holds stays text on its own line: no markup, no line
// of its own, nothing turned around, and no link that the configuration does not give.
func TestHostileFactsStayText(t *testing.T) {
	plain, err := writer().Write(NewBrowser, encoded(t, facts()))
	if err != nil {
		t.Fatal(err)
	}
	tags := strings.Join(outline.FindAllString(plain.HTML, -1), "")
	for _, bad := range hostile {
		w := writer()
		w.Brand = bad
		w.Support = bad
		f := Facts{Account: bad, At: facts().At, Address: bad, Browser: bad, System: bad, Host: "app.example.com",
			Factor: bad}
		m, err := w.Write(NewBrowser, encoded(t, f))
		if err != nil {
			t.Errorf("%q: %v", bad, err)
			continue
		}
		checkHTML(t, bad, m.HTML)
		if got := strings.Join(outline.FindAllString(m.HTML, -1), ""); got != tags {
			t.Errorf("%q changes the markup: %s", bad, got)
		}
		if got, want := strings.Count(m.Text, "\n"), strings.Count(plain.Text, "\n"); got != want {
			t.Errorf("%q: %d lines, want %d: %s", bad, got, want, m.Text)
		}
		if strings.ContainsAny(m.Subject, "\r\n") || strings.ContainsAny(m.Subject+m.Text+m.HTML, "\x00\x1b\r\u202e\u2066") ||
			len(m.Subject) > 600 || len(m.Text)+len(m.HTML) > 16<<10 {
			t.Errorf("%q: subject %q, %d bytes: %s", bad, m.Subject, len(m.Text)+len(m.HTML), m.Text)
		}
		f.Host = bad // a made-up Host header
		if m, err = writer().Write(NewBrowser, encoded(t, f)); err != nil || strings.Contains(m.Text, "Site:") {
			t.Errorf("a host that is not ours is named: %v\n%s", err, m.Text)
		}
	}
}

// A row that cannot be read is given up, not guessed at.
func TestUnreadableFactsAreNoNotice(t *testing.T) {
	for kind, text := range map[string]string{"no_such_kind": encoded(t, facts()), NewBrowser: "{",
		Locked:          `{"account":"pia","password":"x"}`,
		PasswordChanged: `{"account":"` + strings.Repeat("x", maxFacts) + `"}`} {
		if m, err := writer().Write(kind, text); err == nil {
			t.Errorf("%s %.40s became %q", kind, text, m.Subject)
		}
	}
}
