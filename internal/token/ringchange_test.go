package token

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"
)

// JW-17: every change of the keys is published once it can be read: by the node that created, took over or rotated a
// key and by no other. One that cannot be published is an error of a rotation that an operator asked for, and of
// nothing else.
func TestEveryChangeOfTheKeysIsPublished(t *testing.T) {
	r := &rig{t: t, clock: newClock(), store: openStore(t), box: newBox(t)}
	var changes []string
	var trouble error
	cfg := RingConfig{Rotate: 90 * 24 * time.Hour, OnChange: func(ctx context.Context) error {
		keys, err := r.store.Keys(ctx)
		changes = append(changes, strconv.Itoa(len(keys)))
		return errors.Join(err, trouble)
	}}
	wants := func(what string, want ...string) {
		t.Helper()
		if !slices.Equal(changes, want) {
			t.Errorf("%s: published with %v keys, want %v", what, changes, want)
		}
		changes = nil
	}
	first := must(r.open(cfg))(t)
	wants("the first key", "1")
	second := must(r.open(cfg))(t)
	wants("a key that is there")
	must(first.Rotate(t.Context(), nil))(t)
	wants("a rotation by an operator", "2")
	if err := second.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants("a rotation of another node")

	trouble = errors.New("redis is away")
	if info, err := first.Rotate(t.Context(), nil); !errors.Is(err, trouble) || info.KID == "" {
		t.Errorf("acknowledged: %v %v", info, err)
	}
	wants("one that could not be published", "3")
	r.clock.add(90 * 24 * time.Hour)
	if err := first.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	if len(changes) != 1 {
		t.Errorf("a rotation that was due is published %d times", len(changes))
	}
	changes = nil
	imported := cfg
	imported.Import = pkcs1PEM(attackerKey())
	must(r.open(imported))(t)
	if len(changes) != 1 {
		t.Errorf("a key that was taken over is published %d times", len(changes))
	}
}
