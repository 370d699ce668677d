package store

import "context"

// Meta reads a value that belongs to the whole installation. ErrNotFound when it was never set.
func (q *Queries) Meta(ctx context.Context, key string) (string, error) {
	var v string
	err := q.row(ctx, "read "+key, "SELECT value FROM meta WHERE key = $1", []any{key}, &v)
	return v, err
}

// SetMetaOnce sets a value unless there is one, and gives the one that holds: racing nodes agree.
func (q *Queries) SetMetaOnce(ctx context.Context, key, value string) (string, error) {
	if err := storable(key, value); err != nil {
		return "", wrap("set meta", err)
	}
	var v string
	err := q.change(ctx, "set "+key,
		"INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING value",
		[]any{key, value}, &v)
	return v, err
}

// SetMeta sets a value.
func (q *Queries) SetMeta(ctx context.Context, key, value string) error {
	if err := storable(key, value); err != nil {
		return wrap("set meta", err)
	}
	_, err := q.exec(ctx, "set "+key,
		"INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}
