package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
)

// chain returns n lines in the form of a file.
func chain(t testing.TB, n int) []byte {
	t.Helper()
	var out []byte
	var prev [32]byte
	for i := range n {
		e := Event{Event: AuthnLoginSuccess, Outcome: "success", Actor: Actor{ID: "u", Name: "ada"}, Reference: "R-2222-3333"}
		row, err := clean(e).follow(int64(i), prev, time.UnixMilli(1_780_000_000_000))
		if err != nil {
			t.Fatal(err)
		}
		prev = row.Hash
		out = append(append(out, row.Line...), '\n')
	}
	return out
}

// AU-03, AU-04: whatever a client sends, the line is one line of JSON, in bounds, harmless, and passes its own check.
func FuzzAuditLine(f *testing.F) {
	for _, s := range []string{"", "ada", "a\r\nb", "\x00\x1b[31m", "\xff", "trx_rt_abc", "eyJhbGciOiJ.eyJzdWIi.x",
		strings.Repeat("A1b", 20), strings.Repeat("😀", 600), `"},{`, "\u202e"} {
		f.Add(s, "k", s)
		f.Add(s, "host", `","host":"`)
		f.Add(s, "hash", s)
	}
	f.Fuzz(func(t *testing.T, a, key, b string) {
		var prev [32]byte
		e := Event{Event: AuthzFail, Outcome: a, Actor: Actor{a, b}, Subject: Subject{b, a, b, a}, IP: b, UserAgent: a,
			Session: b, Host: a, Method: b, Path: a, Reason: b,
			Reference: a, Details: map[string]string{key: b, "kid": a}}
		row, err := clean(e).follow(6, prev, time.UnixMilli(1))
		if err != nil {
			t.Fatalf("%q %q %q: %v", a, key, b, err)
		}
		if canonical, err := jcs.Transform(row.Line); err != nil || !bytes.Equal(canonical, row.Line) {
			t.Fatalf("not canonical: %s", row.Line)
		}
		l, stated, err := read(row.Line)
		if err != nil || stated != row.Hash || l.Seq != 7 || l.IP != row.IP {
			t.Fatalf("%s: %v", row.Line, err)
		}
		if !utf8.Valid(row.Line) || !json.Valid(row.Line) || bytes.ContainsFunc(row.Line, unicode.IsControl) ||
			len(row.Line) > maxLine {
			t.Fatalf("%q", row.Line)
		}
		for _, text := range []string{l.Outcome, l.Path, l.Details["kid"]} {
			if utf8.RuneCountInString(text) > maxText || secrets.MatchString(text) {
				t.Fatalf("%q", text)
			}
		}
	})
}

// AU-05: a file of any bytes is judged without a panic, and only an unbroken chain of whole lines has no problem.
func FuzzVerifyFile(f *testing.F) {
	good := chain(f, 3)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good[10:])
	f.Add(bytes.Repeat([]byte("["), 5000))
	f.Add([]byte("{\"seq\":1,\"SEQ\":2,\"hash\":\"00\"}\n\n{}\n"))
	f.Add(bytes.Replace(good, []byte("ada"), []byte("eve"), 1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		report, err := VerifyFile(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Problems) > 0 {
			return
		}
		lines := bytes.Split(raw, []byte("\n"))
		if len(lines[len(lines)-1]) != 0 || len(lines)-1 != report.Lines ||
			report.LastSeq-report.FirstSeq+1 != int64(report.Lines) && report.Lines > 0 {
			t.Fatalf("%+v for %q", report, raw)
		}
		for _, line := range lines[:len(lines)-1] {
			if _, _, err := read(line); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
	})
}

// AU-05 on a file: every way to alter it shows.
func TestAlteredFileIsFound(t *testing.T) {
	good := chain(t, 6)
	lines := bytes.SplitAfter(good, []byte("\n"))[:6]
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	var other [32]byte
	other[0] = 1
	forged, err := clean(Event{Event: AuthnLoginSuccess, Actor: Actor{ID: "eve"}}).follow(2, other, time.UnixMilli(5))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"intact":                {good, ""},
		"rotated: no beginning": {join(lines[3:]...), ""},
		"empty":                 {nil, ""},
		"changed word":          {bytes.Replace(good, []byte("success"), []byte("failure"), 1), "event 1: it was changed"},
		"added space":           {join(lines[0], []byte(" "), join(lines[1:]...)), "event 2: it was changed"},
		"added member": {join(lines[0], bytes.Replace(lines[1], []byte("{"), []byte(`{"a":1,`), 1),
			join(lines[2:]...)), "event 2: it was changed"},
		"doubled member": {join(lines[0], bytes.Replace(lines[1], []byte(`"ip":""`), []byte(`"ip":"","ip":"x"`), 1),
			join(lines[2:]...)), "event 2: it was changed"},
		"cut from the middle": {join(lines[0], lines[1], lines[4], lines[5]), "events 3 to 4 are missing"},
		"reordered": {join(lines[0], lines[2], lines[1], lines[3], lines[4], lines[5]),
			"events 2 to 2 are missing"},
		"repeated": {join(lines[0], lines[1], lines[1], lines[2], lines[3]), "event 2 is repeated"},
		"forged line": {join(lines[0], lines[1], append(forged.Line, '\n'), lines[3], lines[4]),
			"event 3: it does not follow"},
		"empty line":   {join(lines[0], []byte("\n"), lines[1]), "it is not a line"},
		"foreign line": {join(lines[0], []byte("hello\n"), lines[1]), "it is not a line"},
		"torn end":     {good[:len(good)-20], "torn"},
		"very long line": {join(lines[0], bytes.Repeat([]byte("x"), 3*maxLine), []byte("\n"), lines[1]),
			"longer than any line"},
	} {
		report, err := VerifyFile(bytes.NewReader(c.raw))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == "" {
			if len(report.Problems) > 0 {
				t.Errorf("%s: %v", name, report.Problems)
			}
		} else if len(report.Problems) == 0 || !strings.Contains(report.Problems[0], c.want) {
			t.Errorf("%s: %v, want %q", name, report.Problems, c.want)
		}
	}
	report, _ := VerifyFile(bytes.NewReader(bytes.Replace(good, []byte("success"), []byte("failure"), 1)))
	if len(report.Problems) != 1 {
		t.Errorf("one change is %d problems: %v", len(report.Problems), report.Problems)
	}
}

// CONTRACT section 11: hash is SHA-256 over the canonical JSON (RFC 8785) of the line without hash.
func TestHashIsThatOfTheCanonicalLineWithoutIt(t *testing.T) {
	row, err := clean(Event{Event: AuthzFail, Host: "a", Details: map[string]string{"host": `","host":"b`, "hash": "x",
		"event": "authz_fail"}}).follow(0, [32]byte{}, time.UnixMilli(1))
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(row.Line, &members); err != nil {
		t.Fatal(err)
	}
	stated := members["hash"]
	delete(members, "hash")
	plain, _ := json.Marshal(members)
	canonical, err := jcs.Transform(plain)
	if err != nil || stated != fmt.Sprintf("%x", sha256.Sum256(canonical)) {
		t.Errorf("%s: %v", row.Line, err)
	}
}

func TestTidyCutsByCharactersAndLast(t *testing.T) {
	for in, want := range map[string]string{
		strings.Repeat("é", 512):      strings.Repeat("é", 512),
		strings.Repeat("é", 513):      strings.Repeat("é", 511) + "…",
		"":                            "",
		"O'Brien <o@example.com>, 日本": "O'Brien <o@example.com>, 日本",
	} {
		if got := tidy(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
