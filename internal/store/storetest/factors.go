package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

func (b *bench) totp(user identity.ID) store.TOTPSecret {
	b.Helper()
	s := store.TOTPSecret{ID: identity.NewID(), UserID: user, Pending: true, Sealed: []byte{1, 0, 2}, Created: now,
		Expires: now.Add(10 * time.Minute), Step: -1}
	b.must(b.PutPendingTOTP(b.ctx, s))
	return s
}

func totp(t *testing.T, b *bench) {
	u := b.user("ada")
	first := b.totp(u.ID)
	second := b.totp(u.ID)
	got, err := b.TOTP(b.ctx, u.ID, true, now)
	b.must(err)
	if diff := cmp.Diff(second, got); diff != "" {
		t.Fatalf("pending secret (-want +got):\n%s", diff)
	}
	_, err = b.TOTP(b.ctx, u.ID, false, now)
	b.wants(err, store.ErrNotFound)
	if ok, err := b.AcceptTOTPStep(b.ctx, second.ID, 100, now); ok || err != nil {
		t.Error("a secret that is being set up proves something", err)
	}
	if won, err := b.ActivateTOTP(b.ctx, first, 1, now); won || err != nil {
		t.Error("a replaced secret was activated", err)
	}
	if won, err := b.ActivateTOTP(b.ctx, second, 1, second.Expires); won || err != nil {
		t.Error("an expired secret was activated", err) // MF-07
	}
	if won := b.race(func(int) (bool, error) { return b.ActivateTOTP(b.ctx, second, 99, now) }); won != 1 {
		t.Errorf("%d activations won", won)
	}
	if ok, _ := b.AcceptTOTPStep(b.ctx, second.ID, 99, now); ok {
		t.Error("the code of the enrolment works again")
	}
	if won := b.race(func(int) (bool, error) { return b.AcceptTOTPStep(b.ctx, second.ID, 100, now) }); won != 1 {
		t.Errorf("one step was accepted %d times", won) // MF-02
	}
	for step, want := range map[int64]bool{99: false, 100: false, 98: false} {
		if ok, _ := b.AcceptTOTPStep(b.ctx, second.ID, step, now); ok != want {
			t.Errorf("step %d: %v", step, ok)
		}
	}
	if ok, _ := b.AcceptTOTPStep(b.ctx, second.ID, 102, now.Add(time.Minute)); !ok {
		t.Error("the next step is refused")
	}
	third := b.totp(u.ID) // F3: setting up another leaves the one in use alone
	if got, err = b.TOTP(b.ctx, u.ID, false, now); err != nil || got.ID != second.ID || got.Step != 102 ||
		!same(got.LastUsed, now.Add(time.Minute)) {
		t.Errorf("%+v %v", got, err)
	}
	if won, _ := b.ActivateTOTP(b.ctx, third, 5, now); !won {
		t.Error("not replaced")
	}
	if ok, _ := b.AcceptTOTPStep(b.ctx, second.ID, 200, now); ok {
		t.Error("the replaced secret still works")
	}
	if had, err := b.DeleteTOTP(b.ctx, u.ID); !had || err != nil {
		t.Error(had, err)
	}
	if had, _ := b.DeleteTOTP(b.ctx, u.ID); had {
		t.Error("removed twice")
	}
}

func recoveryCodes(t *testing.T, b *bench) {
	u, other := b.user("ada"), b.user("bob")
	set := func(prefix string) [][32]byte {
		var out [][32]byte
		for i := range 10 {
			out = append(out, hash(fmt.Sprint(prefix, i)))
		}
		return out
	}
	old := set("old")
	b.must(b.ReplaceRecoveryCodes(b.ctx, u.ID, old, now))
	fresh := set("fresh")
	b.must(b.ReplaceRecoveryCodes(b.ctx, u.ID, fresh, now.Add(time.Minute)))
	for name, try := range map[string]func() (bool, error){
		"old set":     func() (bool, error) { return b.UseRecoveryCode(b.ctx, u.ID, old[0], now) },
		"other":       func() (bool, error) { return b.UseRecoveryCode(b.ctx, other.ID, fresh[0], now) },
		"wrong guess": func() (bool, error) { return b.UseRecoveryCode(b.ctx, u.ID, hash("guess"), now) },
	} {
		if ok, err := try(); ok || err != nil {
			t.Errorf("%s: %v %v", name, ok, err)
		}
	}
	if won := b.race(func(int) (bool, error) { return b.UseRecoveryCode(b.ctx, u.ID, fresh[3], now) }); won != 1 {
		t.Errorf("a recovery code worked %d times", won) // MF-10
	}
	f, err := b.Factors(b.ctx, u.ID, "app.example.com", now)
	if err != nil || f.RecoveryLeft != 9 || !same(f.RecoveryMade, now.Add(time.Minute)) || f.Any() {
		t.Errorf("%+v %v", f, err)
	}
	b.must(b.DeleteRecoveryCodes(b.ctx, u.ID))
	if f, _ = b.Factors(b.ctx, u.ID, "", now); f.RecoveryLeft != 0 {
		t.Error("codes are left")
	}
	b.wants(b.ReplaceRecoveryCodes(b.ctx, identity.NewID(), fresh, now), store.ErrNotFound)
}

func passkeys(t *testing.T, b *bench) {
	u, other := b.user("ada"), b.user("bob")
	p := store.Passkey{ID: identity.NewID(), CredentialID: []byte{0, 1, 255}, UserID: u.ID, Host: "app.example.com",
		Name: "Phone", PublicKey: []byte{2, 0},
		AAGUID: make([]byte, 16), Transports: []string{"internal", "hybrid"}, SignCount: 7, BackupEligible: true,
		Created: now}
	b.must(b.CreatePasskey(b.ctx, p))
	taken := p
	taken.ID, taken.UserID = identity.NewID(), other.ID
	b.wants(b.CreatePasskey(b.ctx, taken), store.ErrConflict) // MF-17
	list, err := b.Passkeys(b.ctx, u.ID)
	b.must(err)
	if diff := cmp.Diff([]store.Passkey{p}, list); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	_, err = b.PasskeyByCredential(b.ctx, p.CredentialID, "other.example.com")
	b.wants(err, store.ErrNotFound)
	if won := b.race(func(int) (bool, error) { return b.UsePasskey(b.ctx, p.ID, 8, true, now) }); won != 1 {
		t.Errorf("one counter was accepted %d times", won) // MF-16
	}
	for _, count := range []uint32{0, 7, 8} {
		if ok, _ := b.UsePasskey(b.ctx, p.ID, count, true, now); ok {
			t.Errorf("counter %d after 8", count)
		}
	}
	if ok, _ := b.UsePasskey(b.ctx, p.ID, 1<<32-1, true, now.Add(time.Hour)); !ok {
		t.Error("a growing counter is refused")
	}
	b.must(b.SuspectPasskey(b.ctx, p.ID))
	got, err := b.PasskeyByCredential(b.ctx, p.CredentialID, p.Host)
	if err != nil || got.SignCount != 1<<32-1 || !got.BackedUp || !got.Suspect || !same(got.LastUsed, now.Add(time.Hour)) {
		t.Errorf("%+v %v", got, err)
	}
	zero := store.Passkey{ID: identity.NewID(), CredentialID: []byte("zero"), UserID: u.ID, Host: p.Host,
		PublicKey: []byte{1}, AAGUID: make([]byte, 16), Created: now}
	b.must(b.CreatePasskey(b.ctx, zero))
	for range 2 {
		if ok, err := b.UsePasskey(b.ctx, zero.ID, 0, false, now); !ok || err != nil {
			t.Error("an authenticator without a counter is refused", err)
		}
	}
	f, err := b.Factors(b.ctx, u.ID, "elsewhere.example.com", now)
	if err != nil || f.Passkeys != 2 || f.PasskeysHere != 0 || !f.Any() {
		t.Errorf("%+v %v", f, err)
	}
	b.wants(b.RenamePasskey(b.ctx, other.ID, p.ID, "mine"), store.ErrNotFound)
	b.wants(b.DeletePasskey(b.ctx, other.ID, p.ID), store.ErrNotFound)
	b.must(b.RenamePasskey(b.ctx, u.ID, p.ID, "Key"))
	b.must(b.DeletePasskey(b.ctx, u.ID, p.ID))
	b.must(b.DeleteUserPasskeys(b.ctx, u.ID))
	if list, _ = b.Passkeys(b.ctx, u.ID); len(list) != 0 {
		t.Error("passkeys are left")
	}
}

func pendingSignIns(t *testing.T, b *bench) {
	u := b.user("ada")
	p := store.PendingSignIn{Key: hash("flow"), UserID: u.ID, Kind: "browser", Host: "app.example.com",
		AMR: []string{"pwd"}, Remember: true, Created: now,
		Expires: now.Add(5 * time.Minute)}
	b.must(b.PutPending(b.ctx, p))
	got, err := b.Pending(b.ctx, p.Key, now)
	b.must(err)
	if diff := cmp.Diff(p, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	_, err = b.Pending(b.ctx, p.Key, p.Expires)
	b.wants(err, store.ErrNotFound) // MF-09
	won := b.race(func(int) (bool, error) { _, ok, err := b.TryPending(b.ctx, p.Key, 5, now); return ok, err })
	if won != 5 {
		t.Errorf("%d tries, want 5", won) // MF-05
	}
	if _, ok, _ := b.TryPending(b.ctx, p.Key, 6, p.Expires); ok {
		t.Error("a try after the end")
	}
	if won := b.race(func(int) (bool, error) { return b.EndPending(b.ctx, p.Key) }); won != 1 {
		t.Errorf("a half sign-in became %d whole ones", won)
	}
	for i := range 25 {
		p.Key, p.Created = hash(fmt.Sprint("flow", i)), now.Add(time.Duration(i)*time.Second)
		b.must(b.PutPending(b.ctx, p))
	}
	if _, err := b.Pending(b.ctx, hash("flow4"), now); err == nil {
		t.Error("half sign-ins of one person pile up")
	}
	_, err = b.Pending(b.ctx, hash("flow24"), now)
	b.must(err)
	b.must(b.DeleteUserPending(b.ctx, u.ID))
	_, err = b.Pending(b.ctx, hash("flow24"), now)
	b.wants(err, store.ErrNotFound)
	p.UserID = identity.NewID()
	b.wants(b.PutPending(b.ctx, p), store.ErrNotFound)
}

func factorSettings(t *testing.T, b *bench) {
	u := b.user("ada")
	b.must(b.SetPreferredFactor(b.ctx, u.ID, "passkey"))
	var most int
	var mu sync.Mutex
	b.race(func(int) (bool, error) {
		n, err := b.AddFactorFailure(b.ctx, u.ID)
		mu.Lock()
		defer mu.Unlock()
		most = max(most, n)
		return true, err
	})
	if most != racers {
		t.Errorf("%d wrong codes were counted as %d", racers, most)
	}
	d := store.Device{ID: identity.NewID(), Hash: hash("device"), UserID: u.ID, Created: now, LastUsed: now,
		Expires: now.Add(90 * 24 * time.Hour), UserAgent: "Agent/1"}
	b.must(b.CreateDevice(b.ctx, d))
	b.wants(b.TrustDevice(b.ctx, identity.NewID(), d.ID, now), store.ErrNotFound)
	b.must(b.TrustDevice(b.ctx, u.ID, d.ID, now.Add(time.Hour)))
	b.totp(u.ID)
	b.must(b.SetShortPassword(b.ctx, u.ID, true))
	f, err := b.Factors(b.ctx, u.ID, "", now)
	b.must(err)
	if diff := cmp.Diff(store.Factors{Preferred: "passkey", Failures: racers, TrustedDevices: 1, ShortPassword: true},
		f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	other := b.user("bob") // without a row before
	for _, short := range []bool{true, false} {
		b.must(b.SetShortPassword(b.ctx, other.ID, short))
		if f, err = b.Factors(b.ctx, other.ID, "", now); err != nil || f != (store.Factors{ShortPassword: short}) {
			t.Errorf("short %v: %+v %v", short, f, err)
		}
	}
	list, err := b.TrustedDevices(b.ctx, u.ID, now)
	if err != nil || len(list) != 1 || list[0].ID != d.ID || !same(list[0].Trusted, now.Add(time.Hour)) {
		t.Errorf("%+v %v", list, err)
	}
	if list, _ = b.TrustedDevices(b.ctx, u.ID, now.Add(time.Hour)); len(list) != 0 {
		t.Error("trust does not end")
	}
	known := store.Device{ID: identity.NewID(), Hash: hash("not trusted"), UserID: u.ID, Created: now,
		LastUsed: now.Add(time.Minute), Expires: now.Add(time.Hour)}
	b.must(b.CreateDevice(b.ctx, known))
	if list, err = b.UserDevices(b.ctx, u.ID, now); err != nil || len(list) != 2 || list[0].ID != known.ID ||
		list[1].ID != d.ID {
		t.Errorf("known browsers: %+v %v", list, err)
	}
	if list, _ = b.UserDevices(b.ctx, u.ID, now.Add(365*24*time.Hour)); len(list) != 0 {
		t.Error("a browser is known for ever")
	}
	b.must(b.ClearFactorFailures(b.ctx, u.ID))
	b.wants(b.DeleteDevice(b.ctx, identity.NewID(), d.ID), store.ErrNotFound)
	b.must(b.DeleteDevice(b.ctx, u.ID, d.ID))
	b.must(b.Store.Tx(b.ctx, func(tx *store.Tx) error { return tx.LockUser(b.ctx, u.ID) }))
	if f, _ = b.Factors(b.ctx, u.ID, "", now); f.Failures != 0 || f.TrustedDevices != 0 {
		t.Errorf("%+v", f)
	}
	b.must(b.DeleteUser(b.ctx, u.ID))
	if f, err = b.Factors(b.ctx, u.ID, "", now); err != nil || f != (store.Factors{}) {
		t.Errorf("the factors of a deleted person: %+v %v", f, err)
	}
}
