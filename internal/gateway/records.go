package gateway

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/store"
)

const (
	// recordPause is how long records are gathered before they are written.
	recordPause = 2 * time.Second
	// recordBatch is how many are written in one transaction.
	recordBatch = 256
)

// writeRecords writes down what the gate decided. Nobody waits for it: when the database does not take it, it is dropped,
// since the next request brings it again.
func (e *Engine) writeRecords(ctx context.Context) {
	for {
		batch := e.nextRecords()
		if len(batch) == 0 {
			return
		}
		within, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := e.store.Tx(within, func(tx *store.Tx) error { return tx.RecordDecisions(within, batch) })
		cancel()
		if err != nil {
			e.log.Warn("could not record what was decided; policy diff will not know of it", "error", err)
			return
		}
	}
}

func (e *Engine) nextRecords() []store.Decision {
	var batch []store.Decision
	for len(batch) < recordBatch {
		select {
		case r := <-e.records.Waiting():
			batch = append(batch, decisionOf(r))
		default:
			return batch
		}
	}
	return batch
}

func decisionOf(r gate.Record) store.Decision {
	d := store.Decision{UserID: r.Principal.UserID, Site: r.Site, Host: r.Host, Method: r.Method, Path: r.Path, ACR: r.Principal.ACR, Client: r.Principal.ClientID,
		Allowed: r.Allowed, Last: r.At}
	if r.Addr.IsValid() {
		d.Address = r.Addr.String()
	}
	return d
}
