package audit

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// Append writes an event in a transaction of its own and returns when it is durable.
func (l *Log) Append(ctx context.Context, e Event) (reference string, err error) {
	err = l.store.Tx(ctx, func(tx *store.Tx) error {
		reference, err = l.Within(ctx, tx, e)
		return err
	})
	return reference, err
}
