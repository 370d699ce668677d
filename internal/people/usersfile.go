package people

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/regular"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// UsersFile is the `users_file`: users as configuration. A row that is removed does not delete its user; `disabled:
// true` keeps them from signing in without losing who they are.
type UsersFile struct {
	Users []UsersFileRow `yaml:"users"`
}

// UsersFileRow is one user.
type UsersFileRow struct {
	Username     string   `yaml:"username"`
	Email        string   `yaml:"email"`
	Name         string   `yaml:"name"`
	Roles        []string `yaml:"roles"`
	PasswordHash string   `yaml:"password_hash"` // bcrypt or argon2id; only for a user that does not exist yet
	Disabled     bool     `yaml:"disabled"`
}

// MaxUsersFile bounds the file in bytes.
const MaxUsersFile = 8 << 20

// ReadUsersFile reads and checks the file without touching anything else.
func ReadUsersFile(path string) (UsersFile, error) {
	raw, err := regular.Read(path, MaxUsersFile)
	if err != nil {
		return UsersFile{}, fmt.Errorf("users_file: %w", err)
	}
	u, err := ParseUsersFile(raw)
	if err != nil {
		return u, fmt.Errorf("%s: %w", path, err)
	}
	return u, nil
}

// ParseUsersFile is strict: unknown keys, doubled names, bad hashes and anchors that grow are errors with a line.
func ParseUsersFile(raw []byte) (UsersFile, error) {
	var file UsersFile
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return UsersFile{}, yamlMistake(err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return UsersFile{}, errors.New("a users file is one YAML document")
	}
	seen := map[string]string{}
	for i, row := range file.Users {
		at := fmt.Sprintf("user %d (%q)", i+1, row.Username)
		if err := row.check(seen); err != nil {
			return UsersFile{}, fmt.Errorf("%s: %w", at, err)
		}
	}
	return file, nil
}

var (
	yamlUnknown = regexp.MustCompile(`^line (\d+): field (\S+) not found in type`)
	yamlLine    = regexp.MustCompile(`^line \d+`)
	yamlPlace   = regexp.MustCompile(`line \d+`)
	usersKeys   = []string{"users", "username", "email", "name", "roles", "password_hash", "disabled"}
)

// yamlMistake describes a mistake in the file's shape without values: one of them may be a secret.
func yamlMistake(err error) error {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) || len(wrong.Errors) == 0 {
		return notYAML(err)
	}
	first := wrong.Errors[0]
	if m := yamlUnknown.FindStringSubmatch(first); m != nil {
		if hint := nearest.Hint(m[2], usersKeys); hint != "" {
			return fmt.Errorf("line %s: unknown key %q%s", m[1], m[2], hint)
		}
		return fmt.Errorf("line %s: unknown key; known are %s", m[1], strings.Join(usersKeys, ", "))
	}
	return fmt.Errorf("%s: not a value of the kind that belongs here; a users file has a list `users` of username, email, name, roles, password_hash, disabled", yamlLine.FindString(first))
}

// notYAML says where the mistake is, without the parser's text, which repeats names of anchors.
func notYAML(err error) error {
	where := yamlPlace.FindString(err.Error())
	if where == "" {
		return errors.New("not YAML")
	}
	return fmt.Errorf("not YAML at %s; a value with special characters needs quotes", where)
}

func (row UsersFileRow) check(seen map[string]string) error {
	if _, err := credential.ValidUsername(row.Username); err != nil {
		return fmt.Errorf("username: %w", err)
	}
	if row.Email != "" {
		if err := credential.ValidEmail(row.Email); err != nil {
			return fmt.Errorf("email: %w", err)
		}
	}
	if row.PasswordHash != "" {
		if err := credential.CheckHash(row.PasswordHash); err != nil {
			return fmt.Errorf("password_hash: %w", err)
		}
	}
	if _, err := cleanRoles(row.Roles); err != nil {
		return fmt.Errorf("roles: %w", err)
	}
	for _, login := range []string{row.Username, row.Email} {
		if login == "" {
			continue
		}
		key, err := credential.FoldUsername(login)
		if err != nil {
			return err
		}
		if other, taken := seen[key]; taken && other != row.Username {
			return fmt.Errorf("%q is also a name or address of %q", login, other)
		} else if taken && login == row.Username {
			return errors.New("this user is listed twice in the file")
		}
		seen[key] = row.Username
	}
	return nil
}

// CheckRoles returns an error for a role that no policy defines. A file that names one is not applied at all.
func (f UsersFile) CheckRoles(m *policy.RoleModel) error {
	for i, row := range f.Users {
		roles, err := cleanRoles(row.Roles)
		if err == nil {
			err = unknownRole(m, roles, nil)
		}
		var known *identity.Error
		if errors.As(err, &known) {
			return fmt.Errorf("user %d (%q): %s", i+1, row.Username, known.Detail)
		}
	}
	return nil
}

// managedBy marks rows of the users file; pages show them read-only.
const managedBy = "users_file"

// ApplyUsersFile creates and changes users so that they match the file.
func (d *Directory) ApplyUsersFile(ctx context.Context, file UsersFile) (created, changed int, err error) {
	if err := file.CheckRoles(d.Model()); err != nil {
		return 0, 0, err
	}
	by := change.By{Via: managedBy}
	for _, row := range file.Users {
		key, err := credential.FoldUsername(row.Username)
		if err != nil {
			return created, changed, err
		}
		existing, err := d.Changes.Store.UserByLogin(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			_, err = d.CreateUser(ctx, by, NewUser{Username: row.Username, Email: row.Email, Name: row.Name, Roles: row.Roles,
				PasswordHash: row.PasswordHash, Disabled: row.Disabled, Managed: managedBy})
			if err != nil {
				return created, changed, fmt.Errorf("user %q: %w", row.Username, err)
			}
			created++
			continue
		}
		if err != nil {
			return created, changed, store.Unavailable(err)
		}
		c, differs := row.differences(existing.User)
		if !differs {
			continue
		}
		if _, err := d.UpdateUser(ctx, by, existing.ID, c); err != nil {
			return created, changed, fmt.Errorf("user %q: %w", row.Username, err)
		}
		changed++
	}
	return created, changed, nil
}

// differences returns the change that makes an existing user match the row, and whether there is one.
func (row UsersFileRow) differences(u identity.User) (store.UserChange, bool) {
	var c store.UserChange
	differs := false
	if row.Email != u.Email {
		c.Email, differs = &row.Email, true
	}
	if row.Name != u.Name {
		c.Name, differs = &row.Name, true
	}
	if row.Disabled != u.Disabled {
		c.Disabled, differs = &row.Disabled, true
	}
	roles := slices.Clone(row.Roles)
	for i := range roles {
		roles[i] = strings.TrimSpace(roles[i])
	}
	slices.Sort(roles)
	roles = slices.Compact(roles)
	if have := slices.Sorted(slices.Values(u.Roles)); !slices.Equal(roles, have) {
		c.Roles, differs = &roles, true
	}
	if managed := managedBy; u.Managed != managed {
		c.Managed, differs = &managed, true
	}
	return c, differs
}
