package store

import (
	"encoding/base64"
	"strconv"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// A cursor comes back from clients. One that is taken names a time and a session, and is the same when written again.
func FuzzSessionCursor(f *testing.F) {
	id := identity.NewID().String()
	for _, text := range []string{"1700000000000." + id, "-1." + id, "+5." + id, id, "." + id, "1.",
		"99999999999999999999." + id} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(text)))
	}
	f.Add("")
	f.Add("%")
	f.Fuzz(func(t *testing.T, cursor string) {
		created, id, ok := parseSessionCursor(cursor)
		if !ok || cursor == "" {
			return
		}
		if _, good := identity.ParseID(id); !good {
			t.Errorf("%q: the id %q", cursor, id)
		}
		again := base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(created, 10) + "." + id))
		if created2, id2, ok := parseSessionCursor(again); !ok || created2 != created || id2 != id {
			t.Errorf("%q is read as %d %s, and again as %d %s", cursor, created, id, created2, id2)
		}
	})
}
