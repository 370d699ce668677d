package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/secret"
)

// MF-10: a rotation of the encryption key voids no recovery code; without the old key the start fails and says why.
func TestRecoveryCodesOutliveTheEncryptionKey(t *testing.T) {
	g := start(t)
	ctx := context.Background()
	before, err := openCodeKey(ctx, g.engine.store, g.engine.box)
	if err != nil || len(before) != 32 || !bytes.Equal(before, g.engine.codeKey) {
		t.Fatalf("%d bytes, %v", len(before), err)
	}
	keys, err := encryptionKeys([]string{randomKey(), randomKey()})
	if err != nil {
		t.Fatal(err)
	}
	old, err := secret.NewBox(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := secret.NewBox(keys[1], keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openCodeKey(ctx, g.engine.store, old); err == nil ||
		!strings.Contains(err.Error(), "encryption_key <new> <old>") {
		t.Errorf("another encryption key: %v", err)
	}
	key := bytes.Repeat([]byte{7}, 32)
	if err := g.engine.store.SetMeta(ctx, codeKeyRow, base64.StdEncoding.EncodeToString(old.Seal(key,
		[]byte(codeKeyRow)))); err != nil {
		t.Fatal(err)
	}
	for name, box := range map[string]*secret.Box{"before": old, "after the rotation": rotated} {
		if got, err := openCodeKey(ctx, g.engine.store, box); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	if err := g.engine.store.SetMeta(ctx, codeKeyRow, "not sealed"); err != nil {
		t.Fatal(err)
	}
	if _, err := openCodeKey(ctx, g.engine.store, old); err == nil {
		t.Error("a damaged value is taken for a key")
	}
}

func randomKey() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	return base64.StdEncoding.EncodeToString(raw[:])
}
