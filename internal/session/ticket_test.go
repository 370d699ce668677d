package session

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// SE-05, R5: on both twins a ticket works once, on its host, in its browser, for 30 seconds.
func TestTicketIsGoodOnceOnItsHostInItsBrowser(t *testing.T) {
	u := url.URL{Scheme: "redis", Host: redistest.Start(t).Addr(), Path: "/0"}
	o, err := cluster.ParseURL(u.String())
	if err != nil {
		t.Fatal(err)
	}
	remote, err := cluster.Open(*o, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	for name, moments := range map[string]Moments{"local": cluster.NewLocal(cluster.LocalOptions{}), "redis": remote} {
		t.Run(name, func(t *testing.T) {
			tickets := Tickets{moments}
			ctx := context.Background()
			want := Ticket{Session: identity.NewID(), User: identity.NewID(), Host: host, Flow: [32]byte{1}}
			issue := func() string {
				code, err := tickets.Issue(ctx, want)
				if err != nil {
					t.Fatal(err)
				}
				return code
			}
			refused := func(what, code, host string, flow [32]byte) {
				t.Helper()
				if got, ok, err := tickets.Redeem(ctx, code, host, flow); ok || err != nil || got != (Ticket{}) {
					t.Errorf("%s: %v %v %v", what, got, ok, err)
				}
			}
			code := issue()
			if got, ok, err := tickets.Redeem(ctx, code, host, want.Flow); err != nil || !ok || got != want {
				t.Fatalf("control: %v %v %v", got, ok, err)
			}
			refused("used again", code, host, want.Flow)
			code = issue()
			refused("another host", code, "evil.example.com", want.Flow)
			refused("its own host after another had it", code, host, want.Flow)
			refused("another browser", issue(), host, [32]byte{2})
			refused("a browser without a flow", issue(), host, [32]byte{})
			refused("invented", issue()[:42]+"_", host, want.Flow)
			for _, broken := range []string{"", "x", code + code, "ticket:" + code} {
				refused("broken", broken, host, want.Flow)
			}
			var won atomic.Int64
			var work sync.WaitGroup
			for code := issue(); len(code) > 0; code = "" {
				for range 50 {
					work.Go(func() {
						if _, ok, _ := tickets.Redeem(ctx, code, host, want.Flow); ok {
							won.Add(1)
						}
					})
				}
				work.Wait()
			}
			if won.Load() != 1 {
				t.Errorf("%d of 50 racing calls won", won.Load())
			}
		})
	}
}

// SE-05: a ticket cannot be redeemed after 30 seconds.
func TestTicketEndsAfterThirtySeconds(t *testing.T) {
	c := newClock()
	tickets := Tickets{cluster.NewLocal(cluster.LocalOptions{Now: c.now})}
	ctx := context.Background()
	for wait, want := range map[time.Duration]bool{29 * time.Second: true, 31 * time.Second: false} {
		code, err := tickets.Issue(ctx, Ticket{Session: identity.NewID(), User: identity.NewID(), Host: host,
			Flow: [32]byte{1}})
		if err != nil {
			t.Fatal(err)
		}
		c.pass(wait)
		if _, ok, err := tickets.Redeem(ctx, code, host, [32]byte{1}); ok != want || err != nil {
			t.Errorf("after %v: %v %v", wait, ok, err)
		}
	}
}

type lost struct{}

var errLost = errors.New("gone")

func (lost) Put(context.Context, string, []byte, time.Duration) error { return errLost }
func (lost) Pop(context.Context, string) ([]byte, bool, error)        { return nil, false, errLost }

// R1: without shared state a ticket is neither issued nor refused: the state is unknown.
func TestTicketWithoutSharedStateIsUnavailable(t *testing.T) {
	tickets := Tickets{lost{}}
	if _, err := tickets.Issue(context.Background(), Ticket{}); identity.CodeOf(err) != identity.CodeStateUnavailable {
		t.Error(err)
	}
	code, _ := (Tickets{cluster.NewLocal(cluster.LocalOptions{})}).Issue(context.Background(), Ticket{})
	if _, ok, err := tickets.Redeem(context.Background(), code, host, [32]byte{1}); ok ||
		identity.CodeOf(err) != identity.CodeStateUnavailable {
		t.Error(ok, err)
	}
}

// What comes back from Redis is outside data: a ticket is whole or none.
func FuzzTicket(f *testing.F) {
	good, _ := json.Marshal(ticketJSON{identity.NewID().String(), identity.NewID().String(), host, make([]byte, 32)})
	for _, seed := range []string{string(good), "", "{}", "null", `{"flow":"AA=="}`,
		`{"session":"x","user":"y","host":"h"}`, `[1]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ticket, ok := parseTicket(raw)
		if !ok {
			return
		}
		if ticket.Host == "" {
			t.Fatal("a ticket for no host")
		}
		again, _ := json.Marshal(ticketJSON{ticket.Session.String(), ticket.User.String(), ticket.Host, ticket.Flow[:]})
		if same, ok := parseTicket(again); !ok || same != ticket {
			t.Fatal("does not survive a round trip")
		}
	})
}
