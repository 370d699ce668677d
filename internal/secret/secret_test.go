package secret

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func key(t testing.TB, n byte) Key {
	t.Helper()
	var k Key
	for i := range k {
		k[i] = byte(i*37) ^ n ^ byte(i*i)
	}
	return k
}

// PW-17 F18: 64 hex characters are 32 bytes; other lengths and example keys are errors that say what to do.
func TestExampleOrShortEncryptionKeysAreRefused(t *testing.T) {
	good := key(t, 3)
	if k, err := ParseKey(hex.EncodeToString(good[:])); err != nil || k != good {
		t.Fatal("a hex key is refused:", err)
	}
	if k, err := ParseKey(rawURL.EncodeToString(good[:])); err != nil || k != good {
		t.Fatal("a base64 key is refused:", err)
	}
	for _, bad := range []string{"", "changeme", strings.Repeat("00", 32), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		hex.EncodeToString([]byte("this is a nice example key 12345")),
		hex.EncodeToString(good[:31]), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "!!!!"} {
		if _, err := ParseKey(bad); err == nil {
			t.Errorf("%q is taken", bad)
		} else if !strings.Contains(err.Error(), "caddy truxe keys new-secret") {
			t.Errorf("%q: the error does not say what to do: %v", bad, err)
		}
	}
}

// R10: a sealed value that was moved to another row, altered or sealed under a lost key does not open.
func TestCiphertextMovedToAnotherRowDoesNotOpen(t *testing.T) {
	b, err := NewBox(key(t, 1), key(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	sealed := b.Seal([]byte("secret"), []byte("row 1"))
	if plain, err := b.Open(sealed, []byte("row 1")); err != nil || string(plain) != "secret" {
		t.Fatal("own value does not open:", err)
	}
	if _, err := b.Open(sealed, []byte("row 2")); err == nil {
		t.Error("opened in another row")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := b.Open(bad, []byte("row 1")); err == nil {
			t.Errorf("byte %d changed, still opened", i)
		}
	}
	other, _ := NewBox(key(t, 2), key(t, 1))
	if plain, err := other.Open(sealed, []byte("row 1")); err != nil || string(plain) != "secret" {
		t.Error("an older key does not open:", err)
	}
	lost, _ := NewBox(key(t, 9))
	if _, err := lost.Open(sealed, []byte("row 1")); err == nil {
		t.Error("opened without the key")
	}
}

// FAULTS 15, 24: two processes agree on one key; a file that others can read is refused.
func TestTwoStartsAgreeOnOneKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "encryption.key")
	var wg sync.WaitGroup
	keys := make([]Key, 8)
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], _, err = LoadOrCreateKeyFile(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Fatal("two keys")
		}
	}
}

// FIELD 50: the files of a Kubernetes volume with fsGroup have mode 0660 at every mount. A key file of ours is made
// ours alone again, and said; a pod that has started once comes back.
func TestKeyFileThatOthersCanReadIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "encryption.key")
	first, warning, err := LoadOrCreateKeyFile(path)
	if err != nil || warning != "" {
		t.Fatal(err, warning)
	}
	for _, mode := range []os.FileMode{0o660, 0o640, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		again, warning, err := LoadOrCreateKeyFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || again != first || info.Mode().Perm() != 0o600 ||
			!strings.Contains(warning, "could be read by others") {
			t.Errorf("mode %04o: %v, %v, %q", mode, err, statErr, warning)
		}
	}
}

// ED-10 a key file that is no file is refused at once; it is not waited for.
func TestKeyFileThatIsNoFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	pipe, big := filepath.Join(dir, "pipe"), filepath.Join(dir, "big")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.WriteFile(big, make([]byte, 5<<10), 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{pipe: "not a regular file", dir: "not a regular file",
		"/dev/zero": "not a regular file", big: "4 KiB"} {
		if _, _, err := LoadOrCreateKeyFile(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// RT-07: the checksum is checked first.
func TestTokenWithAWrongChecksumIsNotLookedUp(t *testing.T) {
	token := NewToken(PrefixRefresh)
	if !CheckToken(PrefixRefresh, token) {
		t.Fatal("own token is refused")
	}
	if CheckToken(PrefixPersonal, token) || CheckToken(PrefixRefresh, token+"A") ||
		CheckToken(PrefixRefresh, token[:len(token)-1]) {
		t.Error("another kind or length passes")
	}
	for i := len(PrefixRefresh); i < len(token); i++ {
		bad := []byte(token)
		if bad[i]++; CheckToken(PrefixRefresh, string(bad)) {
			t.Errorf("byte %d changed, still passes", i)
		}
	}
}

// AU-03: keys print nothing.
func TestKeysPrintNothing(t *testing.T) {
	k := key(t, 1)
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s %x", k, k, k, k, k)} {
		if strings.Contains(s, hex.EncodeToString(k[:4])) || !strings.Contains(s, redacted) {
			t.Errorf("%q", s)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	f.Fuzz(func(_ *testing.T, s string) { _, _ = ParseKey(s) })
}

func FuzzOpenSealed(f *testing.F) {
	b, _ := NewBox(key(f, 1))
	f.Add(b.Seal([]byte("x"), nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if plain, err := b.Open(raw, []byte("other row")); err == nil {
			t.Fatalf("opened %x", plain)
		}
	})
}
