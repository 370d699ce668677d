package secret

import (
	"bytes"
	"testing"
)

func testKey(t testing.TB, b byte) Key {
	t.Helper()
	var k Key
	for i := range k {
		k[i] = byte(i)*7 + b
	}
	return k
}

func testBox(t testing.TB, keys ...Key) *Box {
	t.Helper()
	b, err := NewBox(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ED-08 a sealed value opens on every node with the key, after a rotation too, for its own purpose only.
func TestSealedValueOpensWithItsKeyForItsPurpose(t *testing.T) {
	old, fresh := testKey(t, 1), testKey(t, 2)
	text := testBox(t, old).Sealer("way").Seal([]byte("to /x"))
	for name, s := range map[string]*Sealer{"another node": testBox(t, old).Sealer("way"),
		"after a rotation": testBox(t, fresh, old).Sealer("way")} {
		if plain, ok := s.Open(text); !ok || string(plain) != "to /x" {
			t.Errorf("%s: %q %v", name, plain, ok)
		}
	}
	for name, s := range map[string]*Sealer{"another key": testBox(t, fresh).Sealer("way"),
		"another purpose": testBox(t, old).Sealer("challenge")} {
		if plain, ok := s.Open(text); ok || plain != nil {
			t.Errorf("%s opens it: %q", name, plain)
		}
	}
	if again := testBox(t, old).Sealer("way").Seal([]byte("to /x")); again == text {
		t.Error("two sealed values of one text are alike")
	}
}

// ED-08 no bit of a sealed value can be changed, and what was not sealed does not open.
func TestChangedSealedValueDoesNotOpen(t *testing.T) {
	s := testBox(t, testKey(t, 1)).Sealer("way")
	raw, err := rawURL.DecodeString(s.Seal([]byte("to /x")))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(raw) * 8 {
		changed := bytes.Clone(raw)
		changed[bit/8] ^= 1 << (bit % 8)
		if _, ok := s.Open(rawURL.EncodeToString(changed)); ok {
			t.Errorf("bit %d", bit)
		}
	}
	for n := range raw {
		if _, ok := s.Open(rawURL.EncodeToString(raw[:n])); ok {
			t.Errorf("cut to %d bytes", n)
		}
	}
}

func FuzzSealed(f *testing.F) {
	s := testBox(f, testKey(f, 1)).Sealer("way")
	for _, text := range []string{"", "A", s.Seal(nil), s.Seal([]byte("x")), "====", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain, ok := s.Open(text)
		if !ok {
			return
		}
		if again, ok := s.Open(s.Seal(plain)); !ok || !bytes.Equal(again, plain) {
			t.Fatalf("%q opens to %q and does not come back", text, plain)
		}
	})
}
