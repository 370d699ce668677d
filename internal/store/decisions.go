package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Decision is what was decided about a request of a signed-in user, as it was last seen.
type Decision struct {
	UserID  string // may be another issuer's: "<issuer>|<subject>"
	Site    string // names the site's own rules
	Host    string
	Method  string
	Path    string // as rules saw it
	Address string
	ACR     string
	Client  string
	Allowed bool
	Last    time.Time
}

const decisionColumns = "user_id, site, host, method, path, address, acr, client, allowed, last"

// keptDecisions bounds the table.
const keptDecisions = 200_000

// key identifies a decision.
func (d Decision) key() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{d.UserID, d.Site, d.Host, d.Method, d.Path}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// RecordDecisions notes what was decided; of the same person, site and request the latest stays. What cannot be stored
// is left out.
func (q *Queries) RecordDecisions(ctx context.Context, list []Decision) error {
	for _, d := range list {
		if storable(d.UserID, d.Host, d.Method, d.Path, d.Client) != nil {
			continue
		}
		_, err := q.exec(ctx, "record decision", "INSERT INTO decisions (key, "+decisionColumns+
			`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
			ON CONFLICT (key) DO UPDATE SET address = EXCLUDED.address, acr = EXCLUDED.acr, client = EXCLUDED.client, allowed = EXCLUDED.allowed, last = EXCLUDED.last`,
			d.key(), d.UserID, d.Site, d.Host, d.Method, d.Path, d.Address, d.ACR, d.Client, flag(d.Allowed), ms(d.Last))
		if err != nil {
			return err
		}
	}
	return nil
}

// Decisions reads what was decided since a time, latest first.
func (q *Queries) Decisions(ctx context.Context, since time.Time, fn func(Decision) error) error {
	return q.rows(ctx, reading, "read decisions", "SELECT "+decisionColumns+
		" FROM decisions WHERE last >= $1 ORDER BY last DESC, key LIMIT $2", []any{ms(since), keptDecisions},
		func(scan scanner) error {
			d, err := scanDecision(scan)
			if err != nil {
				return err
			}
			return fn(d)
		})
}

// DecisionsOf reads what was decided about one person's requests, latest first.
func (q *Queries) DecisionsOf(ctx context.Context, userID string, most int) ([]Decision, error) {
	var out []Decision
	err := q.rows(ctx, reading, "read decisions", "SELECT "+decisionColumns+
		" FROM decisions WHERE user_id = $1 ORDER BY last DESC, key LIMIT $2", []any{userID, most},
		func(scan scanner) error {
			d, err := scanDecision(scan)
			out = append(out, d)
			return err
		})
	return out, err
}

func scanDecision(scan scanner) (Decision, error) {
	var d Decision
	err := scan(&d.UserID, &d.Site, &d.Host, &d.Method, &d.Path, &d.Address, &d.ACR, &d.Client, scanFlag{&d.Allowed},
		scanTime{&d.Last})
	return d, err
}

// trimDecisions deletes the oldest beyond the bound.
func (s *Store) trimDecisions(ctx context.Context, most int) (int64, error) {
	return s.exec(ctx, "trim decisions",
		"DELETE FROM decisions WHERE key IN (SELECT key FROM decisions ORDER BY last DESC, key LIMIT $1 OFFSET $2)", batch,
		most)
}
