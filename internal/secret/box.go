package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// Box seals values under the first of its keys and opens those sealed under any.
type Box struct {
	primary Key
	all     []Key // the primary one first
	keys    map[[4]byte]cipher.AEAD
}

const boxVersion = 1

// ErrSealed says that a value cannot be opened: another key, another row, or altered.
var ErrSealed = errors.New("cannot be decrypted: the encryption key is missing, or the value was altered or moved")

// NewBox returns a box that seals with the primary key and opens what any of the keys has sealed.
func NewBox(primary Key, older ...Key) (*Box, error) {
	b := &Box{primary: primary, all: append([]Key{primary}, older...), keys: map[[4]byte]cipher.AEAD{}}
	for _, k := range b.all {
		block, err := aes.NewCipher(k.derive("seal", 32))
		if err != nil {
			return nil, fmt.Errorf("encryption key: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("encryption key: %w", err)
		}
		b.keys[k.id()] = aead
	}
	return b, nil
}

// Seal encrypts. aad names the row: a sealed value moved to another row does not open.
func (b *Box) Seal(plaintext, aad []byte) []byte {
	id := b.primary.id()
	out := append([]byte{boxVersion}, id[:]...)
	return b.keys[id].Seal(out, nil, plaintext, aad)
}

// Open decrypts, or is ErrSealed.
func (b *Box) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) < 5 || sealed[0] != boxVersion {
		return nil, ErrSealed
	}
	aead, ok := b.keys[[4]byte(sealed[1:5])]
	if !ok {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, nil, sealed[5:], aad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// Derive returns a key for another purpose, derived from the primary key.
func (b *Box) Derive(label string, n int) []byte { return b.primary.derive(label, n) }
