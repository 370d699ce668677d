package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Key is what makes two configurations share one engine: where state lives and under which keys. It is a hash, since
// connection strings hold passwords.
func (c Config) Key() string {
	c = c.withDefaults()
	raw, _ := json.Marshal([]any{c.DataDir, c.Storage, c.Redis, c.EncryptionKeys, c.JWT, c.Session, c.Password, c.Audit})
	sum := sha256.Sum256(raw)
	return "truxe:" + hex.EncodeToString(sum[:])
}
