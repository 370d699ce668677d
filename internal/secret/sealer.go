package secret

import (
	"crypto/cipher"
	"crypto/rand"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// Sealer seals values that clients carry for the gateway, such as the way back of a sign-in. A sealed value is URL-safe
// text that clients can neither read nor change. Its keys are derived from those of the Box, so every node opens it,
// and a restart or a rotation of the encryption key leaves it good.
//
// The cipher is XChaCha20-Poly1305. Anonymous requests ask for as many sealed values as they like, and its random
// 192-bit nonces allow that. The 96-bit nonces of AES-GCM wear out after 2^32 values (NIST SP 800-38D section 8.3).
type Sealer struct {
	aeads   []cipher.AEAD // the first one seals, all open
	purpose []byte
}

// Sealer returns the sealer for one purpose. A value that was sealed for another purpose does not open.
func (b *Box) Sealer(purpose string) *Sealer {
	s := &Sealer{purpose: []byte(purpose)}
	for _, k := range b.all {
		aead, err := chacha20poly1305.NewX(k.derive("sealer:"+purpose, chacha20poly1305.KeySize))
		if err != nil { // only another key size is an error
			panic(err)
		}
		s.aeads = append(s.aeads, aead)
	}
	return s
}

// Seal returns plain as sealed text.
func (s *Sealer) Seal(plain []byte) string {
	room, _ := sealing.Get().(*sealRoom)
	defer sealing.Put(room)
	var nonce [chacha20poly1305.NonceSizeX]byte
	_, _ = rand.Read(nonce[:])
	room.sealed = s.aeads[0].Seal(append(room.sealed[:0], nonce[:]...), nonce[:], plain, s.purpose)
	room.text = rawURL.AppendEncode(room.text[:0], room.sealed)
	return string(room.text)
}

// sealRoom is the room in which a value is sealed: a way back has up to 64 KiB, and any anonymous request seals one. It
// never holds what was sealed in the clear.
type sealRoom struct{ sealed, text []byte }

var sealing = sync.Pool{New: func() any { return new(sealRoom) }}

// Open returns what Seal was given. It reports false for anything else.
func (s *Sealer) Open(text string) (plain []byte, ok bool) {
	raw, err := rawURL.DecodeString(text)
	if err != nil || len(raw) < chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return nil, false
	}
	nonce, sealed := raw[:chacha20poly1305.NonceSizeX], raw[chacha20poly1305.NonceSizeX:]
	for _, aead := range s.aeads {
		if plain, err := aead.Open(nil, nonce, sealed, s.purpose); err == nil {
			return plain, true
		}
	}
	return nil, false
}
