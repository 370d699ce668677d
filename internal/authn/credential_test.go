package authn

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// prefixed takes for ours what begins with trx_, as token.Verifier does.
type prefixed struct{}

func (prefixed) Ours(raw string) bool { return strings.HasPrefix(raw, "trx_") }

func (prefixed) Find(context.Context, string) (*Entry, bool, error) { return nil, false, nil }

func (prefixed) Used(*Entry) {}

const ourToken = "trx_pat_0123456789abcdefghij-_AZ"

func basic(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func takeFrom(lines ...string) (Credential, []string) {
	v := &Verifier{Tokens: prefixed{}}
	r := &http.Request{Header: http.Header{"Authorization": slices.Clone(lines)}}
	return v.Take(r), r.Header["Authorization"]
}

// ED-13 HD-12 an Authorization that carries a token of ours in any form never reaches the app; only its proper forms
// sign a user in.
func TestOurTokenIsTakenOffInEveryForm(t *testing.T) {
	for _, proper := range []string{"Bearer " + ourToken, "bearer  " + ourToken, "Basic " + basic("alice:"+ourToken),
		"BASIC " + basic(":"+ourToken)} {
		if c, left := takeFrom(proper); c.Bearer != ourToken || left != nil {
			t.Errorf("%q: credential %q, left %q", proper, c.Bearer, left)
		}
	}
	for _, odd := range []string{
		"Bearer\t" + ourToken, "Bearer \t" + ourToken, "Token " + ourToken, ourToken, " " + ourToken,
		"Bearer Bearer " + ourToken, "Bearer bearer\t" + ourToken, "Bearer" + "," + ourToken,
		"Basic " + basic(ourToken+":x"), "Basic " + basic(ourToken+":"), "Basic " + basic(ourToken),
		"Basic " + basic("alice:x "+ourToken), "Basic\t" + basic("alice:"+ourToken),
		"Basic " + strings.TrimRight(basic("al:"+ourToken), "="),
		"Basic " + base64.URLEncoding.EncodeToString([]byte("\xff\xfe:"+ourToken)),
		"Basic " + basic("alice:"+ourToken) + " x", basic("alice:" + ourToken), "Token token=\"" + ourToken + "\"",
		"Digest username=\"" + ourToken + "\", uri=\"/\"",
		"Bearer x, Bearer " + ourToken, "Negotiate " + ourToken + "==", "token=" + ourToken, "Bearer:" + ourToken,
		"Bearer <" + ourToken + ">", "Bearer " + strings.Repeat("x", 20<<10) + " " + ourToken,
		"Basic " + basic("a:Bearer "+ourToken),
	} {
		c, left := takeFrom(odd)
		if c.Bearer != "" || left != nil {
			t.Errorf("%.80q: credential %q, the app sees %.60q", odd, c.Bearer, left)
		}
	}
	// several lines: with a proper one the request is anonymous; the app's own line stays when ours is in no form at all
	if c, left := takeFrom("Basic "+basic("a:b"), "Bearer "+ourToken); c.Bearer == "" || c.Bearer == ourToken ||
		left != nil {
		t.Errorf("two credentials: %q, left %q", c.Bearer, left)
	}
	if c, left := takeFrom("Basic "+basic("a:b"), "Token "+ourToken); c.Bearer != "" ||
		!slices.Equal(left, []string{"Basic " + basic("a:b")}) {
		t.Errorf("an app's own line beside ours: %q, left %q", c.Bearer, left)
	}
}

// ED-13 an app's own Authorization passes byte for byte.
func TestAuthorizationOfTheAppIsNotTouched(t *testing.T) {
	for _, own := range [][]string{{"Bearer eyJhbGciOiJub25lIn0.e30."}, {"Basic " + basic("alice:secret")}, {"Token abc"},
		{"Digest username=\"Mufasa\", realm=\"x\""}, {"bearer\tabc"}, {"x"}, {""},
		{"Basic !!!"}, {"Bearer pat_trx_1"},
		{"AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu/s3/aws4_request, SignedHeaders=host, Signature=ab12"},
		{"Basic " + basic("a:b"), "Bearer c"}} {
		if c, left := takeFrom(own...); c.Bearer != "" || !slices.Equal(left, own) {
			t.Errorf("%q: credential %q, the app sees %q", own, c.Bearer, left)
		}
	}
}

// ED-13 R14 what is looked at has a bound: Authorization beyond it is taken off unseen, since it may carry a token of
// ours.
func TestAuthorizationIsScannedWithinABound(t *testing.T) {
	own := "Negotiate " + strings.Repeat("YII", 20<<10) // 60 KiB, as large as Kerberos tickets get
	if _, left := takeFrom(own); !slices.Equal(left, []string{own}) {
		t.Errorf("control: %d lines are left", len(left))
	}
	for _, long := range [][]string{{"Negotiate " + strings.Repeat("YII", 30<<10)}, {own, own},
		{"Token " + ourToken + strings.Repeat("x", 70<<10)}, slices.Repeat([]string{"Basic " + basic("a:b")}, 10_000)} {
		scanned := 0
		_, left := takeFrom(long...)
		for _, line := range left {
			scanned += len(line)
		}
		if len(left) == len(long) || scanned > 64<<10 {
			t.Errorf("%d lines like %.20q: %d bytes are left", len(long), long[0], scanned)
		}
	}
	if _, left := takeFrom("Basic "+basic("a:b"), "Negotiate "+strings.Repeat("YII", 30<<10)); !slices.Equal(left,
		[]string{"Basic " + basic("a:b")}) {
		t.Errorf("the line before a long one: %.60q", left)
	}
}

// BenchmarkLongestAuthorization is what a stranger's Authorization costs at most.
func BenchmarkLongestAuthorization(b *testing.B) {
	for name, line := range map[string]string{"one run": "Bearer " + strings.Repeat("A", 64<<10-7),
		"words":           "Bearer" + strings.Repeat(" eyJhbGciOiJub25lIn0.e", 64<<10/22-1),
		"base64 of words": "Basic " + basic(strings.Repeat("eyJ.e ", 8100))[:60<<10],
		"beyond":          "Bearer " + strings.Repeat("A", 1<<20)} {
		b.Run(name, func(b *testing.B) {
			v := &Verifier{Tokens: prefixed{}}
			b.ReportAllocs()
			for b.Loop() {
				v.Take(&http.Request{Header: http.Header{"Authorization": {line}}})
			}
		})
	}
}

// ED-13 HD-12: wherever a token of ours is between other bytes, alone or in base64, the app does not see it.
func FuzzOurTokenNeverReachesTheApp(f *testing.F) {
	f.Add("Bearer ", "", false)
	f.Add("Bearer\t", " x", false)
	f.Add("a:", "", true)
	f.Add("Token token=\"", "\"", false)
	f.Add("", ":x", true)
	f.Fuzz(func(t *testing.T, before, after string, encoded bool) {
		joins := func(s string) bool { // bytes that would make another token of ours
			return s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z' || s[0] >= '0' && s[0] <= '9' ||
				strings.IndexByte("-._", s[0]) >= 0)
		}
		if before != "" && joins(before[len(before)-1:]) || joins(after) || len(before)+len(after) > 1<<16 {
			return
		}
		line := before + ourToken + after
		if encoded {
			line = "Basic " + basic(line)
		}
		if _, left := takeFrom(line); left != nil {
			t.Fatalf("the app sees %q", left)
		}
	})
}
