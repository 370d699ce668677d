package session

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// TicketLife is how long a ticket can be redeemed (SE-05).
const TicketLife = 30 * time.Second

// Ticket takes a sign-in from the single sign-on host to another host.
type Ticket struct {
	Session identity.ID // at the single sign-on host
	User    identity.ID
	Host    string   // folded host that it is for
	Flow    [32]byte // hash of the flow cookie of the browser on Host
}

// Moments keeps short-lived values. A cluster.Cluster is one.
type Moments interface {
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Pop(ctx context.Context, key string) ([]byte, bool, error)
}

// Tickets are issued on one host and redeemed on another.
type Tickets struct{ Moments Moments }

// Issue creates a ticket's code: 43 characters, of which only the SHA-256 is kept. An error is an *identity.Error with
// CodeStateUnavailable.
func (t Tickets) Issue(ctx context.Context, ticket Ticket) (code string, err error) {
	code, hash := NewSecret()
	raw, err := json.Marshal(ticketJSON{ticket.Session.String(), ticket.User.String(), ticket.Host, ticket.Flow[:]})
	if err != nil {
		return "", err
	}
	if err := t.Moments.Put(ctx, ticketKey(hash), raw, TicketLife); err != nil {
		return "", identity.Unavailable(err)
	}
	return code, nil
}

// Redeem uses a ticket up: of racing calls one wins (R5). It is good once, on its host, in the browser with its flow
// cookie; a try that fails uses it up too, since the right browser never makes one. False: sign in again.
func (t Tickets) Redeem(ctx context.Context, code, host string, flow [32]byte) (Ticket, bool, error) {
	hash, ok := ParseSecret(code)
	if !ok {
		return Ticket{}, false, nil
	}
	raw, ok, err := t.Moments.Pop(ctx, ticketKey(hash))
	if err != nil {
		return Ticket{}, false, identity.Unavailable(err)
	}
	if !ok {
		return Ticket{}, false, nil
	}
	ticket, ok := parseTicket(raw)
	sameFlow := subtle.ConstantTimeCompare(ticket.Flow[:], flow[:]) == 1
	if !ok || ticket.Host != host || ticket.Flow == [32]byte{} || !sameFlow {
		return Ticket{}, false, nil
	}
	return ticket, true, nil
}

func ticketKey(hash [32]byte) string {
	return "ticket:" + base64.RawURLEncoding.EncodeToString(hash[:])
}

type ticketJSON struct {
	Session string `json:"session"`
	User    string `json:"user"`
	Host    string `json:"host"`
	Flow    []byte `json:"flow"`
}

// parseTicket reads what Redis gave back: not trusted to be what was put there.
func parseTicket(raw []byte) (Ticket, bool) {
	var j ticketJSON
	if json.Unmarshal(raw, &j) != nil || len(j.Flow) != 32 || j.Host == "" {
		return Ticket{}, false
	}
	session, ok := identity.ParseID(j.Session)
	user, fine := identity.ParseID(j.User)
	return Ticket{Session: session, User: user, Host: j.Host, Flow: [32]byte(j.Flow)}, ok && fine
}
