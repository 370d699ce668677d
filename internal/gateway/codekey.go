package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// codeKeyRow names the key of recovery codes among the values of the installation; it is the associated data too.
const codeKeyRow = "recovery_code_key"

// openCodeKey returns the key under which recovery codes are hashed. It is generated once and sealed in the database: a
// key derived from the encryption key would change with it, and a rotation would void every user's codes. Racing nodes
// agree on one.
func openCodeKey(ctx context.Context, st *store.Store, box *secret.Box) ([]byte, error) {
	var fresh [32]byte
	_, _ = rand.Read(fresh[:])
	held, err := st.SetMetaOnce(ctx, codeKeyRow, base64.StdEncoding.EncodeToString(box.Seal(fresh[:], []byte(codeKeyRow))))
	if err != nil {
		return nil, fmt.Errorf("read the key of recovery codes: %w", err)
	}
	sealed, err := base64.StdEncoding.DecodeString(held)
	if err != nil {
		return nil, fmt.Errorf("read the key of recovery codes: %w", err)
	}
	key, err := box.Open(sealed, []byte(codeKeyRow))
	if err != nil {
		return nil,
			fmt.Errorf("the key of recovery codes %w; restore the encryption key, or name the old one after the new one: encryption_key <new> <old>", err)
	}
	return key, nil
}
