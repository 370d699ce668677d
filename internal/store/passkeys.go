package store

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Passkey is a WebAuthn credential.
type Passkey struct {
	ID           identity.ID // our own; the credential's id is the authenticator's choice
	CredentialID []byte
	UserID       identity.ID
	Host         string // relying party id: the folded host it was made on and works on
	Name         string
	PublicKey    []byte // COSE
	AAGUID       []byte // 16 bytes
	Transports   []string
	SignCount    uint32
	// BackupEligible and BackedUp are the BE and BS flags of the last use (MF-16).
	BackupEligible, BackedUp bool
	Suspect                  bool // its counter went back: it may have been copied
	Created                  time.Time
	LastUsed                 time.Time // zero: never
}

const passkeyColumns = "id, credential_id, user_id, host, name, public_key, aaguid, transports, sign_count, backup_eligible, backed_up, suspect, created, last_used"

func passkeyDest(p *Passkey) []any {
	return []any{scanID{&p.ID}, &p.CredentialID, scanID{&p.UserID}, &p.Host, &p.Name, &p.PublicKey, &p.AAGUID,
		scanList{&p.Transports}, &p.SignCount,
		scanFlag{&p.BackupEligible}, scanFlag{&p.BackedUp}, scanFlag{&p.Suspect}, scanTime{&p.Created}, scanTime{&p.LastUsed}}
}

// CreatePasskey adds a passkey. ErrConflict if any user has the credential id already (WebAuthn 7.1 step 26).
func (q *Queries) CreatePasskey(ctx context.Context, p Passkey) error {
	if err := storable(p.Host, p.Name); err != nil {
		return wrap("store passkey", err)
	}
	_, err := q.exec(ctx, "store passkey", "INSERT INTO passkeys ("+passkeyColumns+
		") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, 0)",
		p.ID.String(), p.CredentialID, p.UserID.String(), p.Host, p.Name, p.PublicKey, p.AAGUID, list(p.Transports),
		int64(p.SignCount),
		flag(p.BackupEligible), flag(p.BackedUp), ms(p.Created))
	return taken(err, "passkey")
}

// Passkeys returns a user's passkeys, oldest first.
func (q *Queries) Passkeys(ctx context.Context, user identity.ID) ([]Passkey, error) {
	var out []Passkey
	err := q.rows(ctx, reading, "read passkeys", "SELECT "+passkeyColumns+
		" FROM passkeys WHERE user_id = $1 ORDER BY created, id", []any{user.String()},
		func(scan scanner) error {
			var p Passkey
			err := scan(passkeyDest(&p)...)
			out = append(out, p)
			return err
		})
	return out, err
}

// PasskeyByCredential finds a passkey by the authenticator's id, on the host it was made for.
func (q *Queries) PasskeyByCredential(ctx context.Context, credential []byte, host string) (Passkey, error) {
	var p Passkey
	err := q.row(ctx, "read passkey", "SELECT "+passkeyColumns+" FROM passkeys WHERE credential_id = $1 AND host = $2",
		[]any{credential, host}, passkeyDest(&p)...)
	return p, err
}

// UsePasskey writes the use of a passkey. False when the counter did not grow past the stored one: of two uses with one
// counter, one wins (WebAuthn 6.1.1). A counter that is and stays 0 says nothing.
func (q *Queries) UsePasskey(ctx context.Context, id identity.ID, count uint32, backedUp bool,
	now time.Time) (bool, error) {
	n, err := q.exec(ctx, "use passkey", `UPDATE passkeys SET sign_count = $1, backed_up = $2, last_used = $3
		WHERE id = $4 AND (sign_count < $1 OR sign_count = 0 AND $1 = 0)`, int64(count), flag(backedUp), ms(now), id.String())
	return n == 1, err
}

// SuspectPasskey marks a passkey whose counter went back.
func (q *Queries) SuspectPasskey(ctx context.Context, id identity.ID) error {
	return q.mustExec(ctx, "mark passkey", "UPDATE passkeys SET suspect = 1 WHERE id = $1", id.String())
}

// RenamePasskey changes the name of one's own passkey; ErrNotFound for another person's.
func (q *Queries) RenamePasskey(ctx context.Context, user, id identity.ID, name string) error {
	if err := storable(name); err != nil {
		return wrap("rename passkey", err)
	}
	return q.mustExec(ctx, "rename passkey", "UPDATE passkeys SET name = $1 WHERE id = $2 AND user_id = $3", name,
		id.String(), user.String())
}

// DeletePasskey removes one's own passkey; ErrNotFound for another person's.
func (q *Queries) DeletePasskey(ctx context.Context, user, id identity.ID) error {
	return q.mustExec(ctx, "remove passkey", "DELETE FROM passkeys WHERE id = $1 AND user_id = $2", id.String(),
		user.String())
}

// DeleteUserPasskeys removes all passkeys of a person. None is no error.
func (q *Queries) DeleteUserPasskeys(ctx context.Context, user identity.ID) error {
	_, err := q.exec(ctx, "remove passkeys", "DELETE FROM passkeys WHERE user_id = $1", user.String())
	return err
}
