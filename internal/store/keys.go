package store

import (
	"context"
	"database/sql"
)

// Keys gives the signing keys, oldest first.
func (q *Queries) Keys(ctx context.Context) ([]KeyRecord, error) {
	return each(ctx, q, "read keys", func(r *sql.Rows) (KeyRecord, error) {
		var k KeyRecord
		var created, activates, retires, expires int64
		err := r.Scan(&k.KID, &k.Sealed, &k.PublicDER, &k.Source, &created, &activates, &retires, &expires)
		k.Created, k.Activates, k.Retires, k.Expires = fromMS(created), fromMS(activates), fromMS(retires), fromMS(expires)
		return k, err
	}, `SELECT kid, sealed, public_der, source, created, activates, retires, expires FROM signing_keys ORDER BY created, kid`)
}

// InsertKey adds a key.
func (q *Queries) InsertKey(ctx context.Context, k KeyRecord) error {
	return q.exec(ctx, "store key", `INSERT INTO signing_keys (kid, sealed, public_der, source, created, activates, retires, expires)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, k.KID, k.Sealed, k.PublicDER, k.Source, ms(k.Created), ms(k.Activates), ms(k.Retires), ms(k.Expires))
}

// UpdateKey changes a key's sealing and times.
func (q *Queries) UpdateKey(ctx context.Context, k KeyRecord) error {
	return q.must(ctx, "update key", `UPDATE signing_keys SET sealed = $2, activates = $3, retires = $4, expires = $5 WHERE kid = $1`,
		k.KID, k.Sealed, ms(k.Activates), ms(k.Retires), ms(k.Expires))
}

// DeleteKey removes a key whose last token has ended.
func (q *Queries) DeleteKey(ctx context.Context, kid string) error {
	return q.exec(ctx, "delete key", `DELETE FROM signing_keys WHERE kid = $1`, kid)
}
