package store

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const userColumns = "id, username, email, name, roles, disabled, managed, created, last_seen, not_before, password_hash, password_changed, failures"

func userDest(u *UserRecord) []any {
	return []any{scanID{&u.ID}, &u.Username, &u.Email, &u.Name, scanList{&u.Roles}, scanFlag{&u.Disabled}, &u.Managed,
		scanTime{&u.Created},
		scanTime{&u.LastSeen}, scanTime{&u.NotBefore}, &u.PasswordHash, scanTime{&u.PasswordChanged}, &u.Failures}
}

// CreateUser adds a user with its login names. *ConflictError names "username" or "email" if another user has it.
func (q *Queries) CreateUser(ctx context.Context, u NewUser) error {
	if err := storable(u.Username, u.UsernameKey, u.Email, u.EmailKey, u.Name, u.Managed, u.PasswordHash); err != nil {
		return wrap("create user", err)
	}
	if u.UsernameKey == "" || u.ID.IsZero() {
		return wrap("create user", ErrInvalid)
	}
	var changed time.Time
	if u.PasswordHash != "" {
		changed = u.Created
	}
	return q.atomic(ctx, func(q *Queries) error {
		// One immediate check first: on PostgreSQL a failed INSERT would end the caller's transaction.
		for field, key := range map[string]string{"username": u.UsernameKey, "email": u.EmailKey} {
			if key == "" {
				continue
			}
			_, err := q.loginOwner(ctx, key)
			if err == nil {
				return wrap("create user", &ConflictError{Field: field})
			}
			if !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		_, err := q.exec(ctx, "create user", "INSERT INTO users ("+userColumns+`, username_key, email_key, search)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14, $15)`,
			u.ID.String(), u.Username, u.Email, u.Name, list(u.Roles), flag(u.Disabled), u.Managed, ms(u.Created),
			ms(u.LastSeen), ms(u.NotBefore),
			u.PasswordHash, ms(changed), u.UsernameKey, u.EmailKey, searchText(u.Username, u.Email, u.Name))
		if err != nil {
			return taken(err, "username")
		}
		if err := q.addLogin(ctx, u.UsernameKey, u.ID, "username"); err != nil {
			return err
		}
		if u.EmailKey == "" || u.EmailKey == u.UsernameKey {
			return nil
		}
		return q.addLogin(ctx, u.EmailKey, u.ID, "email")
	})
}

// CreateFirstUser is CreateUser while there are no users; of racing calls on all nodes one wins, the others get
// *ConflictError "first_user".
func (q *Queries) CreateFirstUser(ctx context.Context, u NewUser) error {
	return q.atomic(ctx, func(q *Queries) error {
		if err := q.lock(ctx, "first_user"); err != nil {
			return err
		}
		n, err := q.CountUsers(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return wrap("create first user", &ConflictError{Field: "first_user"})
		}
		return q.CreateUser(ctx, u)
	})
}

func (q *Queries) addLogin(ctx context.Context, key string, id identity.ID, field string) error {
	_, err := q.exec(ctx, "add login name", "INSERT INTO login_names (key, user_id) VALUES ($1, $2)", key, id.String())
	return taken(err, field)
}

func (q *Queries) loginOwner(ctx context.Context, key string) (identity.ID, error) {
	var id identity.ID
	err := q.row(ctx, "read login name", "SELECT user_id FROM login_names WHERE key = $1", []any{key}, scanID{&id})
	return id, err
}

// UserByID reads a user.
func (q *Queries) UserByID(ctx context.Context, id identity.ID) (UserRecord, error) {
	var u UserRecord
	err := q.row(ctx, "read user", "SELECT "+userColumns+" FROM users WHERE id = $1", []any{id.String()}, userDest(&u)...)
	return u, err
}

// rolesAtOnce is how many users one statement of RolesOf reads, below the least number of parameters of both databases.
const rolesAtOnce = 500

// RolesOf reads the roles of many users. Users without a row are missing from the answer. It is all of them or an
// error.
func (q *Queries) RolesOf(ctx context.Context, ids []identity.ID) (map[identity.ID][]string, error) {
	found := make(map[identity.ID][]string, len(ids))
	for part := range slices.Chunk(ids, rolesAtOnce) {
		var in strings.Builder
		args := make([]any, len(part))
		for i, id := range part {
			if i > 0 {
				in.WriteString(", ")
			}
			in.WriteString("$" + strconv.Itoa(i+1))
			args[i] = id.String()
		}
		err := q.rows(ctx, reading, "read roles", "SELECT id, roles FROM users WHERE id IN ("+in.String()+")", args,
			func(scan scanner) error {
				var id identity.ID
				var roles []string
				err := scan(scanID{&id}, scanList{&roles})
				found[id] = roles
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// UserByLogin reads the user whose folded user name or e-mail address is key.
func (q *Queries) UserByLogin(ctx context.Context, key string) (UserRecord, error) {
	var u UserRecord
	if storable(key) != nil {
		return u, wrap("read user", ErrNotFound) // no user can have such a name
	}
	err := q.row(ctx, "read user",
		"SELECT "+userColumns+" FROM users WHERE id = (SELECT user_id FROM login_names WHERE key = $1)", []any{key},
		userDest(&u)...)
	return u, err
}

// CountUsers counts all users, disabled ones too.
func (q *Queries) CountUsers(ctx context.Context) (int, error) {
	var n int
	err := q.row(ctx, "count users", "SELECT COUNT(*) FROM users", nil, &n)
	return n, err
}

// CountOthersWithRole counts users other than one who are not disabled and have exactly this role. In a transaction it
// makes others that count the same role wait, so that two administrators cannot remove each other at once.
func (q *Queries) CountOthersWithRole(ctx context.Context, role string, but identity.ID) (int, error) {
	if q.tx != nil {
		if err := q.lock(ctx, "role"); err != nil {
			return 0, err
		}
	}
	n := 0
	quoted := strings.Trim(list([]string{role}), "[]")
	err := q.rows(ctx, reading, "count users with role",
		`SELECT roles FROM users WHERE disabled = 0 AND id <> $1 AND roles LIKE $2 ESCAPE '\'`,
		[]any{but.String(), "%" + escapeLike(quoted) + "%"}, func(scan scanner) error {
			var roles []string
			if err := scan(scanList{&roles}); err != nil {
				return err
			}
			if slices.Contains(roles, role) { // LIKE of SQLite ignores case, role names do not (AZ-09)
				n++
			}
			return nil
		})
	return n, err
}

// CountRoles counts the users of each role, disabled ones too.
func (q *Queries) CountRoles(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	err := q.rows(ctx, reading, "count roles", "SELECT roles, COUNT(*) FROM users GROUP BY roles", nil,
		func(scan scanner) error {
			var roles []string
			var n int
			if err := scan(scanList{&roles}, &n); err != nil {
				return err
			}
			for _, r := range roles {
				counts[r] += n
			}
			return nil
		})
	return counts, err
}

// NamesWithRole returns the first user names, by folded name, of users with exactly this role, disabled ones included.
func (q *Queries) NamesWithRole(ctx context.Context, role string, limit int) ([]string, error) {
	if storable(role) != nil {
		return nil, nil //nolint:nilerr // no user can have such a role
	}
	var names []string
	// REPLACE minds letter case on both databases, as role names do (AZ-09); LIKE of SQLite does not
	err := q.rows(ctx, reading, "list users with role",
		"SELECT username, roles FROM users WHERE REPLACE(roles, $1, '') <> roles ORDER BY username_key LIMIT $2",
		[]any{strings.Trim(list([]string{role}), "[]"), pageSize(limit)}, func(scan scanner) error {
			var name string
			var roles []string
			if err := scan(&name, scanList{&roles}); err != nil {
				return err
			}
			if slices.Contains(roles, role) {
				names = append(names, name)
			}
			return nil
		})
	return names, err
}

// ListUsers pages through users in the order of their folded names.
func (q *Queries) ListUsers(ctx context.Context, f UserFilter) ([]identity.User, string, error) {
	after, err := base64.RawURLEncoding.DecodeString(f.Cursor)
	if err != nil || storable(string(after), f.Search) != nil {
		return nil, "", wrap("list users", ErrInvalid)
	}
	limit := pageSize(f.Limit)
	var out []identity.User
	var keys []string
	err = q.rows(ctx, reading, "list users", "SELECT "+userColumns+`, username_key FROM users
		WHERE username_key > $1 AND search LIKE $2 ESCAPE '\' ORDER BY username_key LIMIT $3`,
		[]any{string(after), "%" + escapeLike(strings.ToLower(f.Search)) + "%", limit + 1}, func(scan scanner) error {
			var u UserRecord
			var key string
			if err := scan(append(userDest(&u), &key)...); err != nil {
				return err
			}
			out, keys = append(out, u.User), append(keys, key)
			return nil
		})
	if err != nil || len(out) <= limit {
		return out, "", err
	}
	return out[:limit], base64.RawURLEncoding.EncodeToString([]byte(keys[limit-1])), nil
}

// UpdateUser changes the fields that are set. *ConflictError "email" when the address is taken.
func (q *Queries) UpdateUser(ctx context.Context, id identity.ID, c UserChange) error {
	for _, s := range []*string{c.Email, c.EmailKey, c.Name, c.Managed} {
		if s != nil {
			if err := storable(*s); err != nil {
				return wrap("update user", err)
			}
		}
	}
	return q.atomic(ctx, func(q *Queries) error {
		if err := q.lockUser(ctx, id); err != nil {
			return err
		}
		u, err := q.UserByID(ctx, id)
		if err != nil {
			return err
		}
		var nameKey, emailKey string
		if err := q.row(ctx, "read user", "SELECT username_key, email_key FROM users WHERE id = $1", []any{id.String()},
			&nameKey, &emailKey); err != nil {
			return err
		}
		set(&u.Email, c.Email)
		set(&u.Name, c.Name)
		set(&u.Disabled, c.Disabled)
		set(&u.Roles, c.Roles)
		set(&u.Managed, c.Managed)
		if c.EmailKey != nil && *c.EmailKey != emailKey {
			if err := q.moveEmail(ctx, id, nameKey, emailKey, *c.EmailKey); err != nil {
				return err
			}
			emailKey = *c.EmailKey
		}
		return q.mustExec(ctx, "update user",
			`UPDATE users SET email = $1, email_key = $2, name = $3, disabled = $4, roles = $5, managed = $6, search = $7
			WHERE id = $8`, u.Email, emailKey, u.Name, flag(u.Disabled), list(u.Roles), u.Managed,
			searchText(u.Username, u.Email, u.Name), id.String())
	})
}

func (q *Queries) moveEmail(ctx context.Context, id identity.ID, nameKey, from, to string) error {
	if to != "" && to != nameKey {
		owner, err := q.loginOwner(ctx, to)
		if err == nil && owner != id {
			return wrap("update user", &ConflictError{Field: "email"})
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	if from != "" && from != nameKey {
		if _, err := q.exec(ctx, "remove login name", "DELETE FROM login_names WHERE key = $1 AND user_id = $2", from,
			id.String()); err != nil {
			return err
		}
	}
	if to == "" || to == nameKey {
		return nil
	}
	return q.addLogin(ctx, to, id, "email")
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// lockUser holds a user's row until the transaction ends.
func (q *Queries) lockUser(ctx context.Context, id identity.ID) error {
	return q.mustExec(ctx, "lock user", "UPDATE users SET failures = failures WHERE id = $1", id.String())
}

// DeleteUser removes a user with login names, sessions, refresh families and devices. Revocations and audit stay.
func (q *Queries) DeleteUser(ctx context.Context, id identity.ID) error {
	if err := q.mustExec(ctx, "delete user", "DELETE FROM users WHERE id = $1", id.String()); err != nil {
		return err
	}
	_, err := q.exec(ctx, "delete decisions", "DELETE FROM decisions WHERE user_id = $1", id.String())
	return err
}

// SetNotBefore refuses everything of a user made before t. It never moves back.
func (q *Queries) SetNotBefore(ctx context.Context, id identity.ID, t time.Time) error {
	return q.mustExec(ctx, "set not-before",
		"UPDATE users SET not_before = CASE WHEN not_before > $1 THEN not_before ELSE $1 END WHERE id = $2", ms(t),
		id.String())
}

// TouchUsers writes when users were last seen; an older time than the stored one changes nothing, nor does an id that
// is gone.
func (q *Queries) TouchUsers(ctx context.Context, seen map[identity.ID]time.Time) error {
	ids := slices.SortedFunc(maps.Keys(seen),
		func(a, b identity.ID) int { return strings.Compare(string(a[:]), string(b[:])) })
	for part := range slices.Chunk(ids, batch) { // sorted: two nodes never wait for each other's rows in a circle
		err := q.atomic(ctx, func(q *Queries) error {
			for _, id := range part {
				if _, err := q.exec(ctx, "touch user", "UPDATE users SET last_seen = $1 WHERE id = $2 AND last_seen < $1",
					ms(seen[id]), id.String()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// batch bounds what one transaction writes, so that others get their turn within waitLimit.
const batch = 200

func searchText(fields ...string) string { return strings.ToLower(strings.Join(fields, "\n")) }

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

func pageSize(n int) int {
	switch {
	case n <= 0:
		return 100
	case n > 1000:
		return 1000
	}
	return n
}
