package credential

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

var fast = Config{Algorithm: "bcrypt", Cost: 10}

func hasher(t testing.TB, c Config) *Hasher {
	t.Helper()
	h, err := NewHasher(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// corpus reads test data of others, which is not committed.
func corpus(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("TRUXE_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpora")
	}
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Logf("the corpus %s is not here; only the committed cases run", name)
	}
	return raw
}

// PW-03 CVE-2025-22228: two passwords equal in their first 72 bytes never match each other.
func TestPasswordsEqualInTheirFirst72BytesDoNotMatch(t *testing.T) {
	h, ctx := hasher(t, fast), context.Background()
	head := strings.Repeat("a", 72)
	stored, err := h.Hash(ctx, head+"one")
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := h.Verify(ctx, stored, head+"one"); !ok || err != nil {
		t.Fatal("the right password is refused", err)
	}
	if ok, _, _ := h.Verify(ctx, stored, head+"two"); ok {
		t.Error("cut at 72 bytes")
	}
	plain, _ := bcrypt.GenerateFromPassword([]byte(head), 10) // an import
	if ok, stale, _ := h.Verify(ctx, string(plain), head); !ok || !stale {
		t.Error("an imported hash does not verify, or is not renewed")
	}
	if ok, _, _ := h.Verify(ctx, string(plain), head+"x"); ok {
		t.Error("a longer password matches an imported hash")
	}
}

// PW-02 PW-04 PW-05: long passwords and NUL count whole, both spellings of an accent are one password.
func TestLongNULAndComposedPasswordsCountWhole(t *testing.T) {
	h, ctx := hasher(t, fast), context.Background()
	for _, pair := range [][2]string{{strings.Repeat("é", 64) + "x", strings.Repeat("é", 64) + "y"},
		{"a\x00bcdefghijklmno", "a\x00bcdefghijklmnp"}} {
		a, err := Normalize(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		b, _ := Normalize(pair[1])
		stored, _ := h.Hash(ctx, a)
		if ok, _, _ := h.Verify(ctx, stored, a); !ok {
			t.Error("refused")
		}
		if ok, _, _ := h.Verify(ctx, stored, b); ok {
			t.Error("another password matches")
		}
	}
	if a, _ := Normalize("caf\u00e9"); a != mustNormal(t, "cafe\u0301") {
		t.Error("two spellings are two passwords")
	}
	if _, err := Normalize(strings.Repeat("a", 129)); err == nil {
		t.Error("129 characters are taken")
	}
	if _, err := Normalize(strings.Repeat("a", 128)); err != nil {
		t.Error("128 characters are refused")
	}
}

func mustNormal(t *testing.T, s string) string {
	t.Helper()
	n, err := Normalize(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// PW-12 PW-13: argon2id and another cost verify, and are renewed.
func TestOutdatedHashesVerifyAndAreRenewed(t *testing.T) {
	ctx := context.Background()
	bc, ar := hasher(t, fast), hasher(t, Config{Algorithm: "argon2id"})
	a, _ := ar.Hash(ctx, "some password")
	if !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Error(a)
	}
	if ok, stale, _ := ar.Verify(ctx, a, "some password"); !ok || stale {
		t.Error("own argon2id hash", ok, stale)
	}
	if ok, stale, _ := bc.Verify(ctx, a, "some password"); !ok || !stale {
		t.Error("argon2id under bcrypt", ok, stale)
	}
	if ok, _, _ := bc.Verify(ctx, a, "some passwore"); ok {
		t.Error("a wrong password matches")
	}
	if _, err := NewHasher(Config{Cost: 9}); err == nil {
		t.Error("cost 9 is taken")
	}
}

// PW-14: a hash that asks for absurd cost or marks a broken algorithm is refused, not executed.
func TestAbsurdOrBrokenHashesAreRefusedNotExecuted(t *testing.T) {
	for _, bad := range []string{"", "x", "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=65536,t=4000000000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", ownBcrypt,
		ownBcrypt + "$argon2id$v=19"} {
		if err := CheckHash(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if err := CheckHash("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"); err != nil {
		t.Error("a good hash is refused:", err)
	}
}

// PW-14: the vectors of crypt_blowfish and of the Argon2 reference never panic and verify where they should.
func TestPublishedHashVectors(t *testing.T) {
	var bc struct {
		Cases []struct{ Setting, Hash, Password, PasswordHex, Expect string } `json:"cases"`
	}
	if raw := corpus(t, "password-hash/bcrypt_openwall.json"); raw != nil && json.Unmarshal(raw, &bc) == nil {
		for _, c := range bc.Cases {
			if p, err := parseHash(c.Hash); err == nil {
				p.verify(c.Password)
			}
		}
	}
	for _, hash := range []string{"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"} {
		p, err := parseHash(hash)
		if err != nil || !p.verify("U*U") || p.verify("U*V") {
			t.Error(hash, err)
		}
	}
	p, err := parseHash("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	if err != nil || !p.verify("password") || p.verify("Password") {
		t.Error("argon2id vector", err)
	}
}

// PW-15 R8: the pool is bounded; the excess is busy with a time to come back.
func TestHashFloodIsBusyNotEndless(t *testing.T) {
	h := hasher(t, Config{Algorithm: "bcrypt", Cost: 10, Workers: 1, Queue: 2})
	var mu sync.Mutex
	var wg sync.WaitGroup
	counts := map[bool]int{}
	for range 20 {
		wg.Go(func() {
			err := h.VerifyDummy(context.Background(), "x")
			if err != nil && identity.CodeOf(err) != identity.CodeBusy {
				t.Error(err)
			}
			mu.Lock()
			counts[err == nil]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if counts[true] == 0 || counts[false] == 0 {
		t.Errorf("served %d, busy %d", counts[true], counts[false])
	}
}

// PW-01 PW-07 PW-08: short, common and own-name passwords are refused with the reason; good ones are taken.
func TestGuessablePasswordsAreRefusedWithTheReason(t *testing.T) {
	p := Policy{Names: []string{"orders.example.com", "Acme Corp"}}
	who := CheckContext{Username: "alice.baker", Email: "abaker@example.com"}
	for _, good := range []string{"nineteen pelicans knit scarves", "correct battery horse 9 staple",
		"zwölf Boxkämpfer jagen Eva", "kT9$vv2!mPq#z7Lw"} {
		if err := p.Check(good, who); err != nil {
			t.Errorf("%q is refused: %v", good, err)
		}
	}
	for bad, why := range map[string]string{"short": "15 characters", "passwordpassword": "attackers",
		"aaaaaaaaaaaaaaaaaa": "attackers", "qwertyuiopasdfgh": "attackers",
		"1234567890123456": "attackers", "abcabcabcabcabcabc": "attackers", "alice.baker12345": "name",
		"orders.example.com1": "name", "abaker-abaker-2026": "name"} {
		if err := p.Check(bad, who); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want a reason with %q", bad, err, why)
		}
	}
	if err := p.Check("Tr4vel-9x", CheckContext{HasMFA: true}); err != nil {
		t.Error("8 characters with a second factor are refused:", err)
	}
	if err := p.Check("password1", CheckContext{HasMFA: true}); err == nil {
		t.Error("a common password is taken with a second factor")
	}
}

// PW-07: every common password that meets the length rule in force is refused.
func TestEveryLineOfACommonPasswordListIsRefused(t *testing.T) {
	raw := corpus(t, "passwords/zxcvbn_top30000.txt")
	lines := bufio.NewScanner(strings.NewReader(string(raw)))
	p, n := Policy{}, map[int]int{}
	for lines.Scan() {
		for _, c := range []CheckContext{{HasMFA: true}, {}} {
			least := 15
			if c.HasMFA {
				least = 8
			}
			if utf8.RuneCountInString(lines.Text()) < least {
				continue
			}
			n[least]++
			if err := p.Check(lines.Text(), c); err == nil {
				t.Errorf("%q is taken at %d", lines.Text(), least)
			}
		}
	}
	if len(blocklist()) < 3000 {
		t.Error("the list that ships has only", len(blocklist()), "entries")
	}
	t.Log("checked", n)
}

// PW-09: the breached file is searched where it lies.
func TestBreachedPasswordIsFound(t *testing.T) {
	var list []string
	for i := range 1000 {
		sum := sha1.Sum([]byte(fmt.Sprint("breached password ", i)))
		list = append(list, strings.ToUpper(hex.EncodeToString(sum[:]))+":"+fmt.Sprint(i+1))
	}
	slices.Sort(list)
	path := filepath.Join(t.TempDir(), "pwned.txt")
	if err := os.WriteFile(path, []byte(strings.Join(list, "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBreached(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for i := range 1000 {
		if found, err := b.Contains(fmt.Sprint("breached password ", i)); err != nil || !found {
			t.Fatal(i, found, err)
		}
		if found, err := b.Contains(fmt.Sprint("another password ", i)); err != nil || found {
			t.Fatal(i, found, err)
		}
	}
	if err := (Policy{Breached: b}).Check("breached password 7", CheckContext{}); err == nil ||
		!strings.Contains(err.Error(), "breaches") {
		t.Error(err)
	}
}

// LK-02 CVE-2025-24806: all spellings of a login name share one key.
func TestAllSpellingsOfALoginNameAreOne(t *testing.T) {
	want, _ := FoldUsername("alice@example.com")
	for _, s := range []string{"Alice@Example.COM", " alice@example.com ", "ALICE@EXAMPLE.COM\t",
		"\uff41lice@example.com"} {
		if got, err := FoldUsername(s); err != nil || got != want {
			t.Errorf("%q -> %q %v", s, got, err)
		}
	}
	for _, s := range []string{"", " ", "a\x00b", "a\u200bb", strings.Repeat("a", 300), "\xff"} {
		if got, err := FoldUsername(s); err == nil {
			t.Errorf("%q -> %q", s, got)
		}
	}
	for _, bad := range []string{"a@evil@corp.com", "@x", "x@", "a b@c", "a@b\n"} {
		if ValidEmail(bad) == nil {
			t.Errorf("%q is an address", bad)
		}
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parseHash(s); err == nil && (p.cost > maxCost || p.argon.MemoryKiB > maxMemory) {
			t.Fatal(s)
		}
	})
}

func FuzzFoldUsername(f *testing.F) {
	f.Add("Alice")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := FoldUsername(s)
		if err != nil {
			return
		}
		if b, err := FoldUsername(a); err != nil || a != b {
			t.Fatalf("%q folds to %q, then to %q", s, a, b)
		}
	})
}

func FuzzNormalize(f *testing.F) {
	f.Add("pässword")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := Normalize(s); err == nil && len(p) > maxBytes {
			t.Fatal(len(p))
		}
	})
}

// ED-31 PW-16: a hash of the empty password, of any algorithm, verifies nothing; a wrong password against it is just
// wrong.
func TestHashOfTheEmptyPasswordVerifiesNothing(t *testing.T) {
	h, err := NewHasher(Config{Cost: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, c := range []Config{{Algorithm: "bcrypt", Cost: 10},
		{Algorithm: "argon2id", Argon: Parameters{MemoryKiB: 64, Time: 1, Threads: 1}}} {
		stored, err := c.make("")
		if err != nil {
			t.Fatal(err)
		}
		if ok, _, err := h.Verify(t.Context(), stored, ""); ok || !errors.Is(err, ErrEmpty) {
			t.Errorf("%s: %v %v", c.Algorithm, ok, err)
		}
		if ok, _, err := h.Verify(t.Context(), stored, "x"); ok || err != nil {
			t.Errorf("%s: a wrong password: %v %v", c.Algorithm, ok, err)
		}
	}
	good, err := Config{Algorithm: "bcrypt", Cost: 10}.make("x")
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := h.Verify(t.Context(), good, ""); ok || err != nil {
		t.Errorf("the empty password against another hash: %v %v", ok, err)
	}
	if ok, _, err := h.Verify(t.Context(), good, "x"); !ok || err != nil {
		t.Errorf("control: %v %v", ok, err)
	}
}
