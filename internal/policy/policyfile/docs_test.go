package policyfile

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const guide = "../../../docs/how-to/policies.md"

func readGuide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var fenced = regexp.MustCompile("(?ms)^(?:<!-- test: ([^\n]*) -->\n)?```(\\w+)\n(.*?)^```$")

// The guide's own policy passes its own tests, reaches every rule and is clean; what the guide shows of a failed case
// is what is written.
func TestTheGuidesPolicyWorksAsItSays(t *testing.T) {
	var sources []Source
	shown := ""
	for _, m := range fenced.FindAllStringSubmatch(readGuide(t), -1) {
		if name, ok := strings.CutPrefix(m[1], "file "); ok {
			sources = append(sources, Source{Name: name, Text: []byte(m[3])})
		}
		if m[1] == "output" {
			shown = m[3]
		}
	}
	if len(sources) != 2 || shown == "" {
		t.Fatalf("%d files", len(sources))
	}
	run := func() *Report {
		doc, report, err := Test(sources)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range Lint(doc, Context{Hosts: []string{"orders.example.com"}, Report: report}) {
			if f.ID != FindUntested {
				t.Error(f)
			}
		}
		return report
	}
	text := func(r *Report) string {
		var b strings.Builder
		if err := r.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if r := run(); r.Failed > 0 || len(r.Untested) > 0 {
		t.Errorf("%s", text(r))
	}
	broken := strings.Replace(string(sources[1].Text), "vic: deny, eva", "vic: allow, eva", 1)
	sources[1].Text = []byte(broken)
	if got := text(run()); got != shown {
		t.Errorf("the guide shows\n%s\nit is\n%s", shown, got)
	}
}

// authelia has, by heading of the guide, what the pair below it must do.
var authelia = map[string]string{
	"A site open to all": `tests:
  - url: https://www.example.com/a
    expect: { GET: { anonymous: allow, joe: allow }, POST: { anonymous: allow } }
  - url: https://other.example.com/
    expect: { GET: { anonymous: deny, joe: deny } }`,
	"Some paths open, the rest with a password": `tests:
  - url: https://app.example.com/api
    expect: { GET: { anonymous: allow }, POST: { anonymous: allow } }
  - url: https://app.example.com/api/v1?x=1
    expect: { GET: { anonymous: allow } }
  - url: https://app.example.com/apis
    expect: { GET: { anonymous: login, joe: allow } }
  - url: https://app.example.com/
    expect: { GET: { anonymous: login, joe: allow } }`,
	"Two factors for one domain, one for another": `tests:
  - url: https://wiki.example.com/
    expect: { GET: { anonymous: login, joe: allow } }
  - url: https://vault.example.com/
    expect: { GET: { anonymous: login, joe: step_up, mfa: allow } }`,
	"A group, a user and a machine": `tests:
  - url: https://build.example.com/
    expect: { GET: { anonymous: login, joe: deny, dev: allow, john: allow, robot: allow } }`,
	"Two groups at once": `tests:
  - url: https://books.example.com/
    expect: { GET: { anonymous: login, joe: deny, finance: deny, leads: deny, both: allow } }`,
	"Admin pages for a group with two factors, the rest with a password": `tests:
  - url: https://shop.example.com/admin/users
    expect: { GET: { anonymous: login, joe: deny, mfa: deny, boss: allow, boss1: step_up } }
  - url: https://shop.example.com/admin
    expect: { GET: { joe: deny } }
  - url: https://shop.example.com/administrator
    expect: { GET: { joe: allow } }`,
	"One factor inside, two outside": `tests:
  - url: https://secure.example.com/
    expect: { GET: { anonymous: login, joe: step_up, mfa: allow, inside: allow } }`,
	"Only from the office": `tests:
  - url: https://plant.example.com/
    expect: { GET: { joe: deny, mfa: deny, inside: allow } }
  - url: https://plant.example.com/
    ip: 10.1.1.1
    expect: { GET: { anonymous: login } }`,
	"By method": `tests:
  - url: https://files.example.com/a
    expect: { GET: { anonymous: allow }, HEAD: { anonymous: allow }, PUT: { anonymous: login, joe: step_up, mfa: allow } }`,
	"Every subdomain": `tests:
  - url: https://any.example.com/
    expect: { GET: { anonymous: login, joe: step_up, mfa: allow } }`,
}

const autheliaUsers = `users:
  joe:
  mfa: { mfa: totp }
  dev: { roles: [dev] }
  john: { roles: [other] }
  robot: { client: ci }
  finance: { roles: [finance] }
  leads: { roles: [leads] }
  both: { roles: [leads, finance] }
  boss: { roles: [admins], mfa: passkey }
  boss1: { roles: [admins] }
  inside: { ip: 192.168.7.1 }
`

// Issue 4: well-known configurations in the style of Authelia can each be written in at most the same number of lines.
// The second block of each pair is loaded, judged by a matrix and linted; both are counted.
func TestAutheliasConfigurationsTakeNoMoreLines(t *testing.T) {
	sections := strings.Split(readGuide(t), "\n### ")[1:]
	done := 0
	for _, section := range sections {
		heading, body, _ := strings.Cut(section, "\n")
		matrix, ok := authelia[heading]
		if !ok {
			t.Errorf("%q has no matrix", heading)
			continue
		}
		blocks := fenced.FindAllStringSubmatch(body, -1)
		if len(blocks) != 2 {
			t.Fatalf("%q: %d blocks", heading, len(blocks))
		}
		theirs, ours := blocks[0][3], blocks[1][3]
		var known struct {
			AccessControl struct {
				Default string `yaml:"default_policy"`
				Rules   []struct {
					Domain, Policy string
				}
			} `yaml:"access_control"`
		}
		if err := yaml.Unmarshal([]byte(theirs), &known); err != nil || known.AccessControl.Default != "deny" ||
			len(known.AccessControl.Rules) == 0 || known.AccessControl.Rules[0].Policy == "" {
			t.Errorf("%q: the first block is no configuration of Authelia's: %v", heading, err)
		}
		if strings.Count(ours, "\n") > strings.Count(theirs, "\n") {
			t.Errorf("%q: %d lines for %d", heading, strings.Count(ours, "\n"), strings.Count(theirs, "\n"))
		}
		users := autheliaUsers
		if heading == "Only from the office" {
			users = strings.Replace(users, "192.168.7.1", "10.7.7.7", 1)
		}
		_, report := runText(t, ours, users+matrix+"\n")
		if report.Failed > 0 || len(report.Untested) > 0 {
			var b strings.Builder
			_ = report.WriteText(&b)
			t.Errorf("%q:\n%s", heading, b.String())
		}
		done++
	}
	if done != len(authelia) {
		t.Errorf("%d pairs for %d matrices", done, len(authelia))
	}
}

// The guide's tables name every key and every finding.
func TestTheGuideIsComplete(t *testing.T) {
	names(t, guide, ruleWords...)
	names(t, guide, "mfa", "mfa_age", "login_age", "email", "ip", "network", "url", "expect", "at", FindUnusedRole,
		FindEmptyRole, FindUnusedNetwork, FindUnusedPermission, FindUngranted, FindUnknownArea, FindShadowed, FindDuplicate,
		FindUntested, FindUnknownHost, FindWidePublic, FindManyRules)
}

const reference = "../../../docs/reference/policy.md"

// The reference names every key and every reason code, and what it shows is read.
func TestTheReferenceIsComplete(t *testing.T) {
	names(t, reference, ruleWords...)
	names(t, reference, "roles", "rules", "permissions", "inherits", "description", "admin", "enforce", "report")
	for _, code := range []identity.Code{identity.CodeLoginRequired, identity.CodeRoleRequired,
		identity.CodePermissionRequired, identity.CodeMFARequired, identity.CodeReauthRequired, identity.CodePasskeyRequired,
		identity.CodeNetworkDenied, identity.CodeRuleDenied, identity.CodeNoRule, identity.CodeUserDisabled,
		identity.CodeSessionRevoked, identity.CodeStateUnavailable} {
		names(t, reference, string(code))
	}
}

var ruleWords = []string{"id", "effect", "hosts", "methods", "paths", "networks", "to", "require", "when", "reason",
	"mode", "passkey", "max_age", "role", "permission", "user", "client", anyoneSignedIn}

// names fails for each word that a document does not name as code, alone or with a value.
func names(t *testing.T, file string, words ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range words {
		if !regexp.MustCompile("`" + regexp.QuoteMeta(word) + "[`:]").Match(text) {
			t.Errorf("%s is not in %s", word, file)
		}
	}
}
