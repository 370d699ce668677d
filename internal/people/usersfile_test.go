package people

import (
	"strings"
	"testing"
)

const goodFile = `users:
  - username: alice
    email: alice@example.com
    roles: [staff]
    password_hash: $2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW
  - username: bob
    disabled: true
`

// F32: unknown keys, doubled names and bad values are errors that name the row, never silently dropped.
func TestMistakesInTheUsersFileAreErrors(t *testing.T) {
	if f, err := ParseUsersFile([]byte(goodFile)); err != nil || len(f.Users) != 2 {
		t.Fatal("a good file is refused:", err)
	}
	for name, bad := range map[string]string{
		"unknown key": "users:\n  - username: a\n    rolse: [x]\n", "no name": "users:\n  - email: a@b\n",
		"twice":          "users:\n  - username: a\n  - username: A\n",
		"shared address": "users:\n  - username: a\n    email: x@y.z\n  - username: b\n    email: X@y.z\n",
		"bad hash":       "users:\n  - username: a\n    password_hash: secret\n",
		"bad role":       "users:\n  - username: a\n    roles: [\"a,b\"]\n",
		"bad address":    "users:\n  - username: a\n    email: a@b@c\n", "two documents": goodFile + "---\nusers: []\n",
		"not YAML": "{", "anchors": "a: &a [1]\nusers: *a\n",
	} {
		if _, err := ParseUsersFile([]byte(bad)); err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
}

// A mistake is told with its line and the word that was meant, and never with a value.
func TestMistakeInTheUsersFileNamesLineAndRemedy(t *testing.T) {
	for text, want := range map[string]string{
		"users:\n  - username: a\n    emial: x@y.z\n":                       `line 3: unknown key "emial"; did you mean "email"?`,
		"users:\n  - username: a\n    roles: hunter2-secret\n":              "line 3: not a value of the kind that belongs here",
		"users:\n  - username: a\n    password_hash: {hunter2-secret: 1}\n": "line 3: not a value of the kind",
		"users: [": "not YAML",
	} {
		if _, err := ParseUsersFile([]byte(text)); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzUsersFile(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte("users:\n  - username: a\n    roles: [x, y]\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if file, err := ParseUsersFile(raw); err == nil {
			for _, u := range file.Users {
				if u.Username == "" {
					t.Fatal("a user without a name")
				}
			}
		}
	})
}
