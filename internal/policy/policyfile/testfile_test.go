package policyfile

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

const testFilePolicy = `roles:
  viewer: { permissions: ["orders:read"] }
  editor: { inherits: [viewer], permissions: ["orders:write"] }
networks:
  office: [10.0.0.0/8]
rules:
  - { id: orders-health, effect: public, hosts: [orders.example.com], paths: [/healthz] }
  - { id: orders-read, effect: allow, hosts: [orders.example.com], methods: [GET], to: { permission: "orders:read" } }
  - { id: orders-write, effect: allow, hosts: [orders.example.com], methods: [POST, DELETE], to: { permission: "orders:write" } }
  - { id: admin-mfa, effect: require, paths: [/admin/**], require: { mfa: true, max_age: 10m } }
  - { id: office-only, effect: require, paths: [/office/**], require: { networks: [office] } }
  - { id: robots, effect: deny, to: { client: robot }, paths: [/admin/**] }
  - { id: keys, effect: require, paths: [/keys], require: { passkey: true } }
`

// testFileFixtures are files of tests with their messages; want "": none.
var testFileFixtures = func() map[string]struct {
	text, want string
	beyond     bool // no JSON Schema can see it
} {
	type fixture = struct {
		text, want string
		beyond     bool
	}
	test := func(more, expect string) string {
		return "users:\n  eva: { roles: [editor] }\ntests:\n  - url: https://orders.example.com/orders/7\n" + more +
			"    expect: " + expect + "\n"
	}
	return map[string]fixture{
		"the example of UX section 5": {text: "users:\n  eva: { roles: [editor], mfa: totp }\n  vic: { roles: [viewer] }\ntests:\n  - url: https://orders.example.com/orders/7\n    expect:\n      DELETE: { anonymous: login, vic: deny, eva: allow }\n"},
		"all keys":                    {text: "policy: [orders]\nusers:\n  a: { mfa: passkey, mfa_age: 1h, login_age: 2d, client: c, email: a@example.com, network: office }\n  b: { ip: '::1' }\n  c:\ntests:\n  - { url: 'http://orders.example.com:8080/?a=b', at: 2026-01-05T14:00:00+01:00, ip: 10.0.0.5, expect: { PUT: { a: deny } } }\n"},
		"nothing":                     {text: "# later\n"},
		"no tests":                    {text: "users: {a: }\n", want: `1:1: test file: it has no tests`},
		"empty tests":                 {text: "tests: []\n", want: `the list is empty`},
		"unknown key":                 {text: "test: []\n", want: `unknown key "test"; did you mean "tests"?`},
		"unknown policy": {text: "policy: [oders]\n" + test("", "{GET: {eva: allow}}"),
			want: `1:10: there is no policy "oders"; did you mean "orders"?`, beyond: true},
		"unknown key of a user": {text: "users: {a: {role: [editor]}}\n" + test("",
			"{GET: {eva: allow}}")[len("users:\n  eva: { roles: [editor] }\n"):],
			want: `user "a": unknown key "role"; did you mean "roles"?`},
		"unknown role":   {text: "users: {a: {roles: [edtor]}}\ntests: [{url: 'https://a.test/', expect: {GET: {a: deny}}}]\n", want: `1:21: unknown role "edtor" of user "a"; did you mean "editor"?`, beyond: true},
		"user anonymous": {text: "users: {anonymous: }\ntests: [{url: 'https://a.test/', expect: {GET: {anonymous: deny}}}]\n", want: `anonymous is who is not signed in`},
		"mfa sms": {text: "users: {a: {mfa: sms}}\ntests: [{url: 'https://a.test/', expect: {GET: {a: deny}}}]\n",
			want: `"sms" is neither totp nor passkey`},
		"mfa true": {text: "users: {a: {mfa: true}}\ntests: [{url: 'https://a.test/', expect: {GET: {a: deny}}}]\n",
			want: `want text, got true or false`},
		"age without mfa":    {text: "users: {a: {mfa_age: 5m}}\ntests: [{url: 'https://a.test/', expect: {GET: {a: deny}}}]\n", want: `it has no mfa`},
		"age, not valid":     {text: "users: {a: {mfa: totp, mfa_age: soon}}\ntests: [{url: 'https://a.test/', expect: {GET: {a: deny}}}]\n", want: `is not a duration`},
		"two addresses":      {text: "users: {a: {ip: 10.0.0.1, network: office}}\ntests: [{url: 'https://a.test/', expect: {GET: {a: deny}}}]\n", want: `give ip or network, not both`},
		"address, not valid": {text: "users: {a: {ip: office}}\ntests: [{url: 'https://a.test/', expect: {GET: {a: deny}}}]\n", want: `"office" is no address`},
		"unknown network": {text: test("    network: ofice\n", "{GET: {eva: allow}}"),
			want: `unknown network "ofice"; did you mean "office"?`, beyond: true},
		"no url":    {text: "tests: [{expect: {GET: {anonymous: deny}}}]\n", want: `it has no url`},
		"no expect": {text: "tests: [{url: 'https://a.test/'}]\n", want: `it has no expect`},
		"url without host": {text: "tests: [{url: /orders, expect: {GET: {anonymous: deny}}}]\n",
			want: `is not such as https://orders.example.com/orders/7`},
		"url with fragment": {text: "tests: [{url: 'https://a.test/#x', expect: {GET: {anonymous: deny}}}]\n",
			want: `never leaves the browser`},
		"url with a name": {text: "tests: [{url: 'https://me@a.test/', expect: {GET: {anonymous: deny}}}]\n",
			want: `is not such as`},
		"url with a strange host": {text: "tests: [{url: 'https://a..test/', expect: {GET: {anonymous: deny}}}]\n",
			want: `url: host "a..test"`, beyond: true},
		"time without zone": {text: test("    at: 2026-01-05 12:00\n", "{GET: {eva: allow}}"),
			want: `5:9: at: want a time such as 2026-01-05T12:00:00Z`, beyond: true},
		"method in small letters": {text: test("", "{get: {eva: allow}}"),
			want: `method "get": methods are compared exactly; write GET`},
		"unknown user": {text: test("", "{GET: {evi: allow}}"),
			want: `5:20: expect: unknown user "evi"; did you mean "eva"?`, beyond: true},
		"unknown outcome": {text: test("", "{GET: {eva: alow}}"),
			want: `"alow" is not one of allow, deny, login, step_up; did you mean "allow"?`},
		"outcome twice":    {text: test("", "{GET: {eva: allow, eva: deny}}"), want: `"eva" appears twice`},
		"no outcome":       {text: test("", "{GET: {}}"), want: `it expects nothing`},
		"no method":        {text: test("", "{}"), want: `it expects nothing`},
		"expect as a list": {text: test("", "[GET]"), want: `want a mapping`},
		"anchors":          {text: "tests: &a []\n", want: `anchors and aliases`},
	}
}()

func TestMistakesInTestFilesAreToldWithPlaceAndRemedy(t *testing.T) {
	doc, err := Parse(one(testFilePolicy))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range testFileFixtures {
		_, err := ParseTests([]Source{{Name: "policies/orders_test.yaml", Text: []byte(c.text)}}, doc)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", name, err, c.want)
		}
	}
}

func runText(t *testing.T, policyText, testText string) (*Document, *Report) {
	t.Helper()
	sources := []Source{{Name: "policies/orders.yaml", Text: []byte(policyText)},
		{Name: "policies/orders_test.yaml", Text: []byte(testText)}}
	doc, report, err := Test(sources)
	if err != nil {
		t.Fatal(err)
	}
	return doc, report
}

// Each column of a matrix says what the gateway does for that person: factors, their age, the address, the client.
func TestAMatrixIsJudgedAsTheGatewayWould(t *testing.T) {
	_, report := runText(t, testFilePolicy, `users:
  vic: { roles: [viewer] }
  eva: { roles: [editor], mfa: totp, mfa_age: 9m }
  old: { roles: [editor], mfa: totp, mfa_age: 11m }
  pia: { roles: [viewer], mfa: passkey, network: office }
  bot: { roles: [admin], mfa: passkey, client: robot }
  otto:
tests:
  - url: https://orders.example.com/healthz
    expect: { GET: { anonymous: allow, otto: allow }, HEAD: { anonymous: allow } }
  - url: https://ORDERS.example.com.:8443/orders/7?x=1
    expect: { GET: { anonymous: login, otto: deny, vic: allow }, DELETE: { vic: deny, eva: allow }, PATCH: { eva: deny } }
  - url: https://orders.example.com/admin/keys
    expect: { GET: { anonymous: login, vic: step_up, eva: allow, old: step_up, pia: allow, otto: deny, bot: deny } }
  - url: https://orders.example.com/keys
    expect: { GET: { eva: step_up, pia: allow } }
  - url: https://orders.example.com/office/plan
    expect: { GET: { vic: deny, pia: allow } }
  - url: https://orders.example.com/office/plan
    network: office
    expect: { GET: { vic: allow } }
  - url: https://orders.example.com/office/plan
    ip: 192.0.2.1
    expect: { GET: { pia: deny } }
  - url: https://orders.example.com/a/..%2f/b
    expect: { GET: { vic: deny } }
  - url: https://other.example.com/
    expect: { GET: { anonymous: deny, bot: deny } }
`)
	if report.Failed > 0 || report.Cases != 25 || len(report.Untested) > 0 {
		var b strings.Builder
		_ = report.WriteText(&b)
		t.Errorf("%s", b.String())
	}
}

func TestTheTimeOfATestIsFixed(t *testing.T) {
	doc, err := Parse(one(testFilePolicy))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := ParseTests([]Source{{Name: "a_test.yaml",
		Text: []byte("users: {a: {mfa: passkey, mfa_age: 5m, login_age: 1h}}\ntests:\n  - {url: 'https://a.test/', expect: {GET: {a: deny}}}\n  - {url: 'https://a.test/', at: 2026-12-24T20:00:00+01:00, expect: {GET: {a: deny}}}\n")}}, doc)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Time{noon, time.Date(2026, 12, 24, 19, 0, 0, 0, time.UTC)} {
		c := tests[0].Cases[i]
		if !c.request.Now.Equal(want) || !c.principal.AuthTime.Equal(want.Add(-time.Hour)) ||
			!c.principal.MFATime.Equal(want.Add(-5*time.Minute)) || c.principal.PasskeyTime != c.principal.MFATime {
			t.Errorf("%+v, %+v at %s", c.request, c.principal, want)
		}
	}
}

func TestOutcomesOfDecisions(t *testing.T) {
	for want, d := range map[Outcome]policy.Decision{
		Allow: {Allow: true, Public: true}, Login: {NeedLogin: true},
		StepUp: {Ask: identity.Assurance{MFA: true}, Code: identity.CodeMFARequired}, Deny: {Code: identity.CodeNoRule},
	} {
		if got := OutcomeOf(d); got != want {
			t.Errorf("%+v is %s, want %s", d, got, want)
		}
	}
}

// What failed is told with its place and the rules that were looked at (AZ-11), what no test reaches by name; CI
// servers get the same as JUnit.
func TestFailuresAreToldLikeGoTest(t *testing.T) {
	_, report := runText(t, testFilePolicy, `users:
  vic: { roles: [viewer], mfa: totp }
tests:
  - url: https://orders.example.com/admin/<keys>
    expect:
      GET:
        anonymous: login
        vic: step_up
  - url: https://orders.example.com/a/..%2f/b
    expect: { GET: { vic: allow } }
`)
	var text, junit strings.Builder
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FAIL  policies/orders_test.yaml:8       GET /admin/%3Ckeys%3E as vic: want step_up, got allow\n", "        allow    orders-read   yes    orders:read through role viewer\n", "        require  admin-mfa ", "FAIL  policies/orders_test.yaml:10", "got deny (ambiguous_path)",
		"rules without a test: keys, office-only, orders-health, orders-write, robots\n", "3 cases, 2 failed\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in\n%s", want, text.String())
		}
	}
	if err := report.WriteJUnit(&junit); err != nil {
		t.Fatal(err)
	}
	var parsed junitSuites
	if err := xml.Unmarshal([]byte(junit.String()), &parsed); err != nil {
		t.Fatal(err)
	}
	if parsed.Tests != 3 || parsed.Failures != 2 || len(parsed.Suites) != 1 || len(parsed.Suites[0].Cases) != 3 ||
		parsed.Suites[0].Cases[0].Failure != nil || parsed.Suites[0].Cases[1].Failure.Message != "want step_up, got allow" {
		t.Errorf("%s", junit.String())
	}
	_, good := runText(t, testFilePolicy,
		"tests: [{url: 'https://orders.example.com/healthz', expect: {GET: {anonymous: allow}}}]\n")
	text.Reset()
	if err := good.WriteText(&text); err != nil || !strings.HasPrefix(text.String(),
		"ok    policies/orders_test.yaml      1 case\n") {
		t.Errorf("%s, %v", text.String(), err)
	}
}

// FuzzPolicyTestFile: no panic, errors with a place, and what is taken runs.
func FuzzPolicyTestFile(f *testing.F) {
	for _, c := range testFileFixtures {
		f.Add(c.text)
	}
	doc, err := Parse(one(testFilePolicy))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tests, err := ParseTests([]Source{{Name: "a_test.yaml", Text: []byte(text)}}, doc)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("%q: %T", text, err)
			}
			for _, p := range problems {
				if p.At.File == "" || p.Message == "" || len(p.Message) > 16<<10 {
					t.Fatalf("%q: %+v", text, p)
				}
			}
			return
		}
		report, err := RunTests(doc, tests)
		if err != nil || report.Cases < report.Failed {
			t.Fatalf("%q: %v", text, err)
		}
		var b strings.Builder
		if report.WriteText(&b) != nil || report.WriteJUnit(&b) != nil ||
			xml.Unmarshal([]byte(b.String()[strings.Index(b.String(), "<?xml"):]), new(junitSuites)) != nil {
			t.Fatalf("%q: %s", text, b.String())
		}
	})
}
