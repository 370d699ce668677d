package store

import "context"

const keyColumns = "kid, sealed, public_der, source, created, activates, retires, expires"

// Keys reads all signing keys, oldest first.
func (q *Queries) Keys(ctx context.Context) ([]KeyRecord, error) {
	var out []KeyRecord
	err := q.rows(ctx, reading, "read keys", "SELECT "+keyColumns+" FROM signing_keys ORDER BY created, kid", nil,
		func(scan scanner) error {
			var k KeyRecord
			err := scan(&k.KID, &k.Sealed, &k.PublicDER, &k.Source, scanTime{&k.Created}, scanTime{&k.Activates},
				scanTime{&k.Retires}, scanTime{&k.Expires})
			out = append(out, k)
			return err
		})
	return out, err
}

// InsertKey adds a key. *ConflictError "kid" when the ring has it.
func (q *Queries) InsertKey(ctx context.Context, k KeyRecord) error {
	if err := storable(k.KID, k.Source); err != nil {
		return wrap("add key", err)
	}
	_, err := q.exec(ctx, "add key", "INSERT INTO signing_keys ("+keyColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		k.KID, k.Sealed, k.PublicDER, k.Source, ms(k.Created), ms(k.Activates), ms(k.Retires), ms(k.Expires))
	return taken(err, "kid")
}

// UpdateKey writes a key's times and its sealed form (after re-encryption). The public key never changes.
func (q *Queries) UpdateKey(ctx context.Context, k KeyRecord) error {
	return q.mustExec(ctx, "update key",
		"UPDATE signing_keys SET sealed = $1, activates = $2, retires = $3, expires = $4 WHERE kid = $5",
		k.Sealed, ms(k.Activates), ms(k.Retires), ms(k.Expires), k.KID)
}

// DeleteKey removes a key.
func (q *Queries) DeleteKey(ctx context.Context, kid string) error {
	return q.mustExec(ctx, "delete key", "DELETE FROM signing_keys WHERE kid = $1", kid)
}
