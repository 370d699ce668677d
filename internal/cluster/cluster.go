// Package cluster holds what the nodes of one gateway share: the feed of revocations and changes, use-once values
// and counters. Losing all of it loses no safety, since SQL keeps the durable record and Resync re-fills the rest.
//
// There are two twins of one interface: NewLocal for a single node (nothing leaves the process) and Open for
// Redis 7 or later. Package clustertest runs one suite on both.
package cluster

import (
	"context"
	"errors"
	"time"
)

// Kinds of events. The first three are revocations (CONTRACT section 8) and equal identity.RevocationKind.String.
const (
	KindJTI     = "jti"     // one access token
	KindSession = "session" // a session, its refresh family and its access tokens
	KindUser    = "user"    // everything of a user made before At
	KindChanged = "changed" // a user's row or roles changed: drop snapshots
	KindKeys    = "keys"    // signing keys changed: reload them
)

// MaxName bounds an event's Name in bytes: a jti of a trusted issuer may be long, but not endless.
const MaxName = 1024

// ErrInvalid marks a call that can never succeed: unknown kind, empty or oversized name, bucket without a rate.
var ErrInvalid = errors.New("invalid cluster call")

// ErrUnavailable marks a call that the shared store did not acknowledge (R1: treat as loss, never as "no").
var ErrUnavailable = errors.New("shared state is unavailable")

// Event is one line of the feed that all nodes read.
type Event struct {
	Kind    string // KindJTI ... KindKeys
	Name    string // jti, session id or user id; empty for KindKeys
	At      int64  // Unix ms when it was decided (for KindUser the not-before)
	Expires int64  // Unix ms until which it must be remembered; 0 for KindChanged and KindKeys
	Node    string // who published; Publish fills in the cluster's own name when it is empty
}

// Cluster is what nodes share. All methods are safe for concurrent use. No call waits longer than one second.
type Cluster interface {
	// Publish sends the event to every node. For KindJTI it also writes {prefix}revoked:{jti} with the
	// remaining lifetime. A nil error means that the shared store acknowledged it.
	Publish(ctx context.Context, e Event) error
	// Run reads the feed until ctx ends and calls h. It blocks. One Run per node.
	Run(ctx context.Context, h FeedHandler) error
	// Health reports when the feed last proved to be alive and whether calls work now.
	Health() Health

	// Put stores a short-lived value (sign-in flow, way back, ticket), replacing an older one.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Get reads a value; false when absent or expired.
	Get(ctx context.Context, key string) ([]byte, bool, error)
	// Pop reads and deletes in one atomic step: of 50 racing calls one wins (R5).
	Pop(ctx context.Context, key string) ([]byte, bool, error)
	// PutNew stores only when absent and reports whether it did.
	PutNew(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)

	// Reserve takes one unit of every bucket, or of none when any is empty (LK-06).
	Reserve(ctx context.Context, buckets []Bucket) (Outcome, error)
	// Refund returns one reserved unit to each bucket, never above its burst.
	Refund(ctx context.Context, buckets []Bucket) error
	// Clear forgets the counters of these bucket keys: they are full again.
	Clear(ctx context.Context, keys ...string) error
	// Close ends connections. A running Run returns.
	Close() error
}

// Bucket is one limit under GCRA: Burst events at once, refilled evenly over Window.
// A key must always come with the same Burst and Window.
type Bucket struct {
	Key    string
	Burst  int
	Window time.Duration
}

// Interval is the emission interval: the time in which one event is refilled.
func (b Bucket) Interval() time.Duration { return b.Window / time.Duration(b.Burst) }

// Outcome is the answer of Reserve.
type Outcome struct {
	Allowed bool
	Limits  []LimitState // one per bucket, in the order asked
}

// LimitState is what one bucket looks like after the call.
type LimitState struct {
	Key        string
	Limit      int           // the bucket's burst
	Remaining  int           // events possible right now
	RetryAfter time.Duration // until one event is possible; 0 when Remaining > 0
	ResetAfter time.Duration // until the bucket is full again
}

// Reasons given to Resync. After ReasonFlushed and ReasonEpoch the shared store holds little or nothing: republish
// everything that must be remembered. After the others the store still has it, and nothing needs republishing.
const (
	ReasonStart     = "start"         // the first connection of this node
	ReasonReconnect = "reconnect"     // the connection was lost; a failover may have dropped the feed's tail
	ReasonSilence   = "silence"       // nothing was heard for more than MaxSilence
	ReasonGap       = "gap"           // entries were trimmed before this node read them, or the stream went backwards
	ReasonUnknown   = "unknown entry" // an entry could not be read, e.g. of a newer version
	ReasonFlushed   = "flushed"       // the store is empty
	ReasonEpoch     = "epoch"         // the store was emptied and another node noticed first
)

// MaxSilence is how long a feed may be silent before the node must Resync.
const MaxSilence = 3 * time.Second

// FeedHandler receives the feed. Calls come from one goroutine at a time.
type FeedHandler interface {
	// Apply is called for each event, in the order of the feed.
	Apply(e Event)
	// Alive is called after each proof that the feed works (each successful round trip).
	Alive()
	// Resync is called before Alive after a (re)connect, a detected gap, or a changed or missing epoch: the node
	// re-reads SQL and returns what the shared store should hold again. On an error it is retried with backoff
	// and the node stays cut off.
	Resync(ctx context.Context, reason string) (republish []Event, err error)
}

// Health is a cluster's state.
type Health struct {
	Connected bool      // the feed is in step and calls are not failing
	LastAlive time.Time // with a monotonic reading; zero before the first proof
	Err       error     // why not connected
	Refused   error     // the server answers and refuses what is needed: its configuration or ours is wrong
}
