package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const userColumns = `u.id, u.username, u.email, u.name, u.roles, u.disabled, u.managed, u.password_hash, u.password_changed, u.failures,
	u.not_before, u.created, u.last_seen`

func userFields(u *UserRecord) (dest []any, done func()) {
	var uid, roles string
	var changed, notBefore, created, seen int64
	var failures int64
	return []any{&uid, &u.Username, &u.Email, &u.Name, &roles, &u.Disabled, &u.Managed, &u.PasswordHash, &changed, &failures,
			&notBefore, &created, &seen}, func() {
			u.ID, u.Roles, u.Failures = id(uid), fromList(roles), int(failures)
			u.PasswordChanged, u.NotBefore, u.Created, u.LastSeen = fromMS(changed), fromMS(notBefore), fromMS(created), fromMS(seen)
		}
}

func scanUser(row scanner) (UserRecord, error) {
	var u UserRecord
	dest, done := userFields(&u)
	err := row.Scan(dest...)
	if err == nil {
		done()
	}
	return u, err
}

// CreateUser inserts a user. ErrConflict: the user name or address is somebody's.
func (q *Queries) CreateUser(ctx context.Context, u NewUser) error {
	err := q.exec(ctx, "create user", `INSERT INTO users (id, username, email, name, roles, disabled, managed, password_hash, password_changed,
		failures, not_before, created, last_seen, sort_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10, 0, $11)`,
		u.ID.String(), clean(u.Username), clean(u.Email), clean(u.Name), list(u.Roles), u.Disabled, u.Managed, u.PasswordHash,
		ms(u.Created), ms(u.Created), clean(u.UsernameKey))
	if err != nil {
		return err
	}
	if err := q.addLogin(ctx, u.ID, u.UsernameKey, "username"); err != nil || u.EmailKey == "" || u.EmailKey == u.UsernameKey {
		return err
	}
	return q.addLogin(ctx, u.ID, u.EmailKey, "email")
}

func (q *Queries) addLogin(ctx context.Context, user identity.ID, key, kind string) error {
	return q.exec(ctx, "create login name", `INSERT INTO login_names (name_key, user_id, kind) VALUES ($1, $2, $3)`, clean(key), user.String(), kind)
}

// CreateFirstUser inserts a user only while there is none; ErrConflict otherwise. Racing calls wait for each other.
func (t *Tx) CreateFirstUser(ctx context.Context, u NewUser) error {
	if err := t.Lock(ctx, "users"); err != nil {
		return err
	}
	n, err := t.CountUsers(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("create first user: %w", ErrConflict)
	}
	return t.CreateUser(ctx, u)
}

// UserByID reads one user.
func (q *Queries) UserByID(ctx context.Context, user identity.ID) (UserRecord, error) {
	u, err := scanUser(q.db.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, user.String()))
	return u, q.wrap("read user", err)
}

// UserByLogin reads the user who has a folded user name or e-mail address.
func (q *Queries) UserByLogin(ctx context.Context, key string) (UserRecord, error) {
	u, err := scanUser(q.db.QueryRowContext(ctx, `SELECT `+userColumns+` FROM login_names l JOIN users u ON u.id = l.user_id WHERE l.name_key = $1`, clean(key)))
	return u, q.wrap("read user", err)
}

// ListUsers pages through users in the order of their names.
func (q *Queries) ListUsers(ctx context.Context, f UserFilter) (users []identity.User, next string, err error) {
	limit := pageSize(f.Limit)
	pattern := "%" + likeEscape.Replace(strings.ToLower(clean(f.Search))) + "%"
	type row struct {
		user UserRecord
		key  string
	}
	rows, err := each(ctx, q, "list users", func(r *sql.Rows) (row, error) {
		var v row
		dest, done := userFields(&v.user)
		err := r.Scan(append(dest, &v.key)...)
		if err == nil {
			done()
		}
		return v, err
	}, `SELECT `+userColumns+`, u.sort_key FROM users u WHERE u.sort_key > $1
		AND (LOWER(u.username) LIKE $2 ESCAPE '!' OR LOWER(u.email) LIKE $2 ESCAPE '!' OR LOWER(u.name) LIKE $2 ESCAPE '!')
		ORDER BY u.sort_key LIMIT $3`, fromCursor(f.Cursor), pattern, limit+1)
	if len(rows) > limit {
		rows = rows[:limit]
		next = cursor(rows[limit-1].key)
	}
	for _, r := range rows {
		users = append(users, r.user.User)
	}
	return users, next, err
}

var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// CountUsers counts all users.
func (q *Queries) CountUsers(ctx context.Context) (int, error) {
	var n int
	err := q.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM users`).Scan(&n)
	return n, q.wrap("count users", err)
}

// CountOthersWithRole counts the users who can sign in and have a role, except one.
func (t *Tx) CountOthersWithRole(ctx context.Context, role string, except identity.ID) (int, error) {
	if err := t.Lock(ctx, "users"); err != nil { // two administrators must not remove each other at once
		return 0, err
	}
	rows, err := each(ctx, t.Queries, "count role", func(r *sql.Rows) (string, error) {
		var roles string
		err := r.Scan(&roles)
		return roles, err
	}, `SELECT roles FROM users WHERE disabled = FALSE AND id <> $1`, except.String())
	n := 0
	for _, roles := range rows {
		u := identity.User{Roles: fromList(roles)}
		if u.HasRole(role) {
			n++
		}
	}
	return n, err
}

// UpdateUser changes the fields that are not nil.
func (t *Tx) UpdateUser(ctx context.Context, user identity.ID, c UserChange) error {
	u, err := t.UserByID(ctx, user)
	if err != nil {
		return err
	}
	set(&u.Email, c.Email)
	set(&u.Name, c.Name)
	set(&u.Disabled, c.Disabled)
	set(&u.Roles, c.Roles)
	set(&u.Managed, c.Managed)
	if c.EmailKey != nil {
		if err := t.exec(ctx, "change login name", `DELETE FROM login_names WHERE user_id = $1 AND kind = 'email'`, user.String()); err != nil {
			return err
		}
		if *c.EmailKey != "" {
			owner, err := t.UserByLogin(ctx, *c.EmailKey)
			if err == nil && owner.ID != user {
				return fmt.Errorf("change login name: %w", ErrConflict)
			}
			if err != nil { // not found: free
				if err := t.addLogin(ctx, user, *c.EmailKey, "email"); err != nil {
					return err
				}
			}
		}
	}
	return t.must(ctx, "update user", `UPDATE users SET email = $2, name = $3, disabled = $4, roles = $5, managed = $6 WHERE id = $1`,
		user.String(), clean(u.Email), clean(u.Name), u.Disabled, list(u.Roles), u.Managed)
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// DeleteUser removes a user and all rows that hang on it.
func (q *Queries) DeleteUser(ctx context.Context, user identity.ID) error {
	return q.must(ctx, "delete user", `DELETE FROM users WHERE id = $1`, user.String())
}

// SetPassword stores a new hash; sessions and tokens made before notBefore are refused.
func (q *Queries) SetPassword(ctx context.Context, user identity.ID, hash string, now, notBefore time.Time) error {
	return q.must(ctx, "set password", `UPDATE users SET password_hash = $2, password_changed = $3, not_before = $4, failures = 0 WHERE id = $1`,
		user.String(), hash, ms(now), ms(notBefore))
}

// RehashPassword replaces a hash only if it is still the one that was verified (PW-13).
func (q *Queries) RehashPassword(ctx context.Context, user identity.ID, old, fresh string) (bool, error) {
	n, err := q.changed(ctx, "rehash password", `UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2`, user.String(), old, fresh)
	return n == 1, err
}

// AddFailure counts a wrong password. An unknown user costs the same statement.
func (q *Queries) AddFailure(ctx context.Context, user identity.ID) (int, error) {
	var n int
	err := q.db.QueryRowContext(ctx, `UPDATE users SET failures = failures + 1 WHERE id = $1 RETURNING failures`, idColumn(user)).Scan(&n)
	return n, q.wrap("count failure", err)
}

// ClearFailures forgets wrong passwords after a whole sign-in (LK-13).
func (q *Queries) ClearFailures(ctx context.Context, user identity.ID) error {
	return q.exec(ctx, "clear failures", `UPDATE users SET failures = 0 WHERE id = $1 AND failures > 0`, user.String())
}

// SetNotBefore refuses everything of a user that was made before t.
func (q *Queries) SetNotBefore(ctx context.Context, user identity.ID, t time.Time) error {
	return q.exec(ctx, "set not-before", `UPDATE users SET not_before = $2 WHERE id = $1 AND not_before < $2`, user.String(), ms(t))
}

// TouchUsers notes when users were last seen; never backwards.
func (t *Tx) TouchUsers(ctx context.Context, seen map[identity.ID]time.Time) error {
	for user, at := range seen {
		if err := t.exec(ctx, "touch user", `UPDATE users SET last_seen = $2 WHERE id = $1 AND last_seen < $2`, user.String(), ms(at)); err != nil {
			return err
		}
	}
	return nil
}
