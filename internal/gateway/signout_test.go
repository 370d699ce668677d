package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// JW-14 SE-11: signed out everywhere and in again within one second: the old cookie and token are refused, the new ones
// work at once.
func TestSignInRightAfterSignOutEverywhereWorks(t *testing.T) {
	g, s := start(t), site(t)
	serve := func(name, value string) (served int) {
		up := &upstream{}
		if err := g.Gate().Serve(httptest.NewRecorder(), newRequest(name, value), s, gate.Client{Addr: "127.0.0.1"}, up,
			nil); err != nil {
			t.Fatal(err)
		}
		return up.served
	}
	users, _, err := g.engine.store.ListUsers(context.Background(), store.UserFilter{})
	if err != nil || len(users) != 1 {
		t.Fatal(users, err)
	}
	for range 20 {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		second := time.Now().Unix()
		oldCookie, oldBearer := signIn(t, g)
		if serve("Cookie", oldCookie) != 1 || serve("Authorization", oldBearer) != 1 {
			t.Fatal("control: signed in")
		}
		if err := g.signin.Sessions.EndAll(context.Background(), change.By{Host: "app.test"}, users[0].ID, identity.ID{},
			"sign_out_everywhere"); err != nil {
			t.Fatal(err)
		}
		cookie, bearer := signIn(t, g)
		if time.Now().Unix() != second {
			continue // a slow machine: the story must happen in one second
		}
		if serve("Cookie", oldCookie) != 0 || serve("Authorization", oldBearer) != 0 {
			t.Error("what was signed out everywhere is let in")
		}
		if serve("Cookie", cookie) != 1 || serve("Authorization", bearer) != 1 {
			t.Error("a fresh sign-in is refused")
		}
		if w := httptest.NewRecorder(); g.Gate().Serve(w, newRequest("Authorization", oldBearer), s,
			gate.Client{Addr: "127.0.0.1"}, &upstream{}, nil) != nil ||
			w.Code != http.StatusUnauthorized {
			t.Errorf("the old token gets %d", w.Code)
		}
		return
	}
	t.Fatal("twenty tries, and none fit into a second")
}
