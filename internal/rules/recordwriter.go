package rules

import (
	"context"
	"log/slog"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// recordBatch is how many decisions are written in one transaction.
const recordBatch = 256

// Write writes what is queued. No request waits for it: what the database does not take is dropped, since the next
// request adds it again.
func (k *Records) Write(ctx context.Context, st *store.Store, log *slog.Logger) {
	for {
		batch := k.next()
		if len(batch) == 0 {
			return
		}
		within, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := st.Tx(within, func(tx *store.Tx) error { return tx.RecordDecisions(within, batch) })
		cancel()
		if err != nil {
			log.Warn("could not record what was decided; policy diff will not know of it", "error", err)
			return
		}
	}
}

func (k *Records) next() []store.Decision {
	var batch []store.Decision
	for len(batch) < recordBatch {
		select {
		case r := <-k.queue:
			batch = append(batch, decisionOf(r))
		default:
			return batch
		}
	}
	return batch
}

func decisionOf(r Record) store.Decision {
	d := store.Decision{UserID: r.Principal.UserID, Site: r.Site, Host: r.Host, Method: r.Method, Path: r.Path,
		ACR: r.Principal.ACR, Client: r.Principal.ClientID,
		Allowed: r.Allowed, Last: r.At}
	if r.Addr.IsValid() {
		d.Address = r.Addr.String()
	}
	return d
}
