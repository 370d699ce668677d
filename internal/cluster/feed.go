package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// feed is the state of one Run.
type feed struct {
	*Redis
	handler FeedHandler
	epoch   string    // known and agreed with; "" before the first Resync
	last    streamID  // everything up to here has been applied or is in SQL
	read    int64     // how many entries the stream had ever been given at last
	proof   time.Time // when this node last heard the feed in time
	pending string    // reason of a Resync that has not succeeded yet
	logged  string    // the trouble that was logged last
}

// Run follows the stream on a connection of its own until ctx ends; it returns within about a second of that.
func (r *Redis) Run(ctx context.Context, h FeedHandler) error {
	if !r.running.CompareAndSwap(false, true) {
		return errors.New("the feed is already running")
	}
	defer r.running.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	var probing sync.WaitGroup
	probing.Go(func() { r.probe(ctx) })
	defer probing.Wait()
	defer cancel()
	go func() { // Close ends a blocked read too
		select {
		case <-r.closed:
			cancel()
		case <-ctx.Done():
		}
	}()

	f := &feed{Redis: r, handler: h, pending: ReasonStart}
	wait := newBackoff()
	for {
		began := time.Now()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			f.lost(errors.New("feed stopped"))
			select {
			case <-r.closed:
				return nil
			default:
				return ctx.Err()
			}
		}
		f.lost(err)
		if text := err.Error(); text != f.logged { // once for each trouble, however long it lasts
			f.logged = text
			r.log.Warn("feed lost", "server", r.opts.String(), "error", err)
		}
		if time.Since(began) > MaxSilence {
			wait.reset()
		}
		f.need(ReasonReconnect)
		wait.sleep(ctx, r.closed)
	}
}

// need remembers why the next Resync happens; a reason that asks for a refill is never replaced by a weaker one.
func (f *feed) need(reason string) {
	if f.pending == "" || reason == ReasonFlushed || (reason == ReasonEpoch && f.pending != ReasonFlushed) {
		f.pending = reason
	}
}

func (f *feed) lost(err error) {
	f.health.Lock()
	defer f.health.Unlock()
	f.inStep, f.feedErr = false, err
}

// isAlive is called when everything that the stream held at the last look has been applied.
func (f *feed) isAlive() {
	f.handler.Alive()
	f.health.Lock()
	defer f.health.Unlock()
	f.inStep, f.feedErr, f.alive = true, nil, time.Now()
}

// follow reads on one connection until something is wrong with it.
func (f *feed) follow(ctx context.Context) error {
	conn, err := f.dedicated(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for ctx.Err() == nil { // the client minds deadlines, not cancellation, once it holds a connection
		at, err := f.look(ctx, conn)
		if err != nil {
			return err
		}
		f.judge(at)
		if time.Since(f.proof) > MaxSilence {
			f.need(ReasonSilence)
		}
		if f.pending != "" {
			if err := f.resync(ctx, at); err != nil {
				return err
			}
			f.proof = time.Now()
			continue // and look again: what came in while SQL was read is applied before Alive
		}
		if !f.last.before(at.last) {
			f.isAlive()
		}
		if err := f.next(ctx, conn); err != nil {
			return err
		}
		// A round that took too long, e.g. because the process was stopped, proves nothing: the next one reads SQL.
		if f.pending == "" && time.Since(f.proof) <= MaxSilence {
			f.proof = time.Now()
			if !f.last.before(at.last) {
				f.isAlive()
			}
		}
	}
	return ctx.Err()
}

// dedicated is one sticky connection to the server that holds the stream: it cannot be replaced unnoticed.
func (f *feed) dedicated(ctx context.Context) (*redis.Conn, error) {
	switch c := f.feed.(type) {
	case *redis.Client:
		return c.Conn(), nil
	case *redis.ClusterClient:
		ctx, cancel := context.WithTimeout(ctx, feedTimeout)
		defer cancel()
		node, err := c.MasterForKey(ctx, f.streamKey())
		if err != nil {
			return nil, explained("find the feed's node", err)
		}
		return node.Conn(), nil
	}
	return nil, errors.New("no way to hold a connection")
}

// place is where the stream and the epoch stand.
type place struct {
	epoch   string // "" when missing
	last    streamID
	added   int64 // entries ever added
	trimmed int64 // of those, no longer there
}

func (f *feed) look(ctx context.Context, conn *redis.Conn) (place, error) {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	var epoch *redis.StringCmd
	var info *redis.XInfoStreamCmd
	if f.opts.Mode == ModeCluster { // another slot, perhaps another node
		epoch = f.feed.Get(ctx, f.epochKey())
		info = conn.XInfoStream(ctx, f.streamKey())
	} else {
		_, err := conn.Pipelined(ctx, func(p redis.Pipeliner) error { // each reply is judged below
			epoch = p.Get(ctx, f.epochKey())
			info = p.XInfoStream(ctx, f.streamKey())
			return nil
		})
		// A connection that was not opened (its password or database is refused) asked nothing: the replies say
		// nothing.
		if err != nil && epoch.Err() == nil && epoch.Val() == "" {
			return place{}, explained("connect", err)
		}
	}
	var at place
	switch err := epoch.Err(); {
	case errors.Is(err, redis.Nil):
	case err != nil:
		return at, explained("read epoch", err)
	default:
		if at.epoch = epoch.Val(); !validEpoch(at.epoch) {
			return at, errors.New("read epoch: the key holds something else")
		}
	}
	switch err := info.Err(); {
	case err != nil && strings.HasPrefix(err.Error(), "ERR no such key"):
		return at, nil
	case err != nil:
		return at, explained("read state of feed", err)
	}
	s := info.Val()
	id, err := parseStreamID(s.LastGeneratedID)
	if err != nil {
		return at, err
	}
	if s.EntriesAdded < s.Length {
		return at, errors.New("read state of feed: redis 7 or later is needed")
	}
	at.last, at.added, at.trimmed = id, s.EntriesAdded, s.EntriesAdded-s.Length
	return at, nil
}

// judge compares what is there with what this node knows and notes the need of a Resync.
func (f *feed) judge(at place) {
	switch {
	case at.epoch == "":
		f.need(ReasonFlushed)
	case f.epoch != "" && at.epoch != f.epoch:
		f.need(ReasonEpoch)
	case f.epoch != "" && (at.last.before(f.last) || at.added < f.read || at.trimmed > f.read):
		f.need(ReasonGap)
	}
}

// resync lets the node read SQL, refills Redis with what the node gives back, and goes on reading from at, which was
// taken before SQL was read: nothing can fall in between.
func (f *feed) resync(ctx context.Context, at place) error {
	f.lost(errors.New("resync: " + f.pending))
	refill := f.pending == ReasonFlushed || f.pending == ReasonEpoch
	if refill && f.epoch != "" {
		f.flushedAt.Store(max(1, f.clock.read()))
	}
	if at.epoch == "" {
		epoch, err := f.newEpoch(ctx)
		if err != nil {
			return err
		}
		at.epoch = epoch
	}
	began := time.Now()
	events, err := f.handler.Resync(ctx, f.pending)
	if err != nil {
		return fmt.Errorf("resync: %w", err)
	}
	if err := f.republish(ctx, events); err != nil {
		return err
	}
	f.log.Info("feed in step", "reason", f.pending, "republished", len(events), "took", time.Since(began))
	f.epoch, f.last, f.read, f.pending, f.logged = at.epoch, at.last, at.added, "", ""
	return nil
}

// newEpoch marks an empty Redis; of several nodes one wins, and all agree on its value.
func (f *feed) newEpoch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	fresh := epochMark + identity.NewID().String()
	err := f.feed.SetArgs(ctx, f.epochKey(), fresh, redis.SetArgs{Mode: "NX"}).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", explained("set epoch", err)
	}
	epoch, err := f.feed.Get(ctx, f.epochKey()).Result()
	if err != nil {
		return "", explained("read epoch", err)
	}
	if !validEpoch(epoch) {
		return "", errors.New("read epoch: the key holds something else")
	}
	return epoch, nil
}

const epochMark = "e1-"

func validEpoch(s string) bool {
	id, ok := strings.CutPrefix(s, epochMark)
	_, fine := identity.ParseID(id)
	return ok && fine
}

// next waits up to feedBlock for entries and applies them.
func (f *feed) next(ctx context.Context, conn *redis.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	reply, err := conn.XRead(ctx, &redis.XReadArgs{
		Streams: []string{f.streamKey(), f.last.String()}, Count: 1000, Block: feedBlock,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return explained("read feed", err)
	}
	if len(reply) != 1 || reply[0].Stream != f.streamKey() {
		return fmt.Errorf("read feed: %w", errSwapped)
	}
	for _, entry := range reply[0].Messages {
		id, err := parseStreamID(entry.ID)
		if err != nil {
			return err
		}
		if !f.last.before(id) {
			return fmt.Errorf("read feed: %w", errSwapped)
		}
		e, err := parseEvent(entry.Values)
		if err != nil {
			// A newer version's event, or damage: whatever it said is in SQL.
			f.log.Warn("feed entry not understood", "id", entry.ID, "error", err)
			f.need(ReasonUnknown)
		} else {
			f.handler.Apply(e)
		}
		f.last = id
		f.read++
	}
	return nil
}
