package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/sony/gobreaker/v2"
)

// Times and sizes towards Redis (OP-05); doc.go explains them to operators.
const (
	callTimeout  = 250 * time.Millisecond
	dialTimeout  = time.Second
	feedTimeout  = 2500 * time.Millisecond // one round of the feed, the wait of feedBlock included
	feedBlock    = time.Second
	poolSize     = 32
	idleConns    = 4
	tripAfter    = 5 // calls in a row that found no server
	openFor      = 500 * time.Millisecond
	probeEvery   = time.Second
	streamLength = 100_000
)

// Redis is the twin for many nodes. Open makes it; nothing is dialled before the first call or Run.
type Redis struct {
	opts    Options
	log     *slog.Logger
	calls   redis.UniversalClient
	feed    redis.UniversalClient // its own pool: a blocked read never takes a connection from calls
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	clock   *clock
	closed  chan struct{}
	close   sync.Once
	running atomic.Bool

	flushedAt atomic.Int64 // reading of clock when a flush was seen; 0 never
	lastSeen
}

// lastSeen is what was last seen of the server.
type lastSeen struct {
	health   sync.Mutex // of the fields below
	inStep   bool
	alive    time.Time
	feedErr  error
	writeErr error // of the last probe
}

// Open returns the Redis twin. A nil logger is slog.Default().
func Open(o Options, log *slog.Logger) (*Redis, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.Default()
	}
	quiet()
	r := &Redis{opts: o, log: log, clock: newClock(nil), closed: make(chan struct{}),
		lastSeen: lastSeen{feedErr: errors.New("feed not started")}}
	r.calls = o.client(poolSize, idleConns, o.callTimeout)
	r.feed = o.client(4, 0, feedTimeout)
	r.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         "redis",
		Timeout:      openFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		IsExcluded:   func(err error) bool { return errors.Is(err, errCaller) },
		IsSuccessful: func(err error) bool { return err == nil || answered(err) },
		OnStateChange: func(_ string, from, to gobreaker.State) { // not each try while it is open
			switch {
			case from == gobreaker.StateClosed:
				log.Warn("calls to redis fail: they are refused at once until one succeeds")
			case to == gobreaker.StateClosed:
				log.Info("calls to redis succeed again")
			}
		},
	})
	return r, nil
}

func (o Options) client(size, idle int, timeout time.Duration) redis.UniversalClient {
	u := &redis.UniversalOptions{
		Addrs: o.Addrs, DB: o.DB, MasterName: o.Master, TLSConfig: o.TLS,
		Username: o.username, Password: o.password,
		SentinelUsername: o.sentinelUsername, SentinelPassword: o.sentinelPassword,
		Protocol: 3, DisableIdentity: true, ContextTimeoutEnabled: true,
		// A retried Reserve or Pop would count or consume twice; the breaker and the caller decide about trying again.
		MaxRetries: -1, DialerRetries: 1, MaxRedirects: 3,
		DialTimeout: dialTimeout, ReadTimeout: timeout, WriteTimeout: timeout, PoolTimeout: timeout,
		PoolSize: size, MinIdleConns: idle, PipelinePoolSize: -1, FailingTimeoutSeconds: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch o.Mode {
	case ModeSentinel:
		return redis.NewFailoverClient(u.Failover())
	case ModeCluster:
		return redis.NewClusterClient(u.Cluster())
	}
	return redis.NewClient(u.Simple())
}

// errCaller marks a call that its caller gave up: it says nothing about Redis.
var errCaller = errors.New("the caller gave up")

// answered reports whether a server sent the error. It is there and quick, so waiting for it cannot pile up; the call
// failed all the same (READONLY, LOADING, OOM, NOAUTH, WRONGTYPE, ...: FAULTS 9).
func answered(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// call runs one exchange with Redis within the options' callTimeout and behind the breaker. Every error is
// ErrUnavailable.
func (r *Redis) call(ctx context.Context, what string, f func(context.Context) error) error {
	done, err := r.breaker.Allow()
	if err != nil {
		return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
	}
	short, cancel := context.WithTimeout(ctx, r.opts.callTimeout)
	defer cancel()
	err = f(short)
	switch {
	case err == nil:
		done(nil)
		return nil
	case ctx.Err() != nil:
		done(errCaller)
	default:
		done(err)
	}
	return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, reasoned{err})
}

func (r *Redis) key(kind, name string) string { return r.opts.Prefix + kind + name }

// Health is connected while the feed is in step, calls reach Redis and Redis takes writes.
func (r *Redis) Health() Health {
	open := r.breaker.State() != gobreaker.StateClosed
	r.health.Lock()
	defer r.health.Unlock()
	h := Health{LastAlive: r.alive}
	if r.writeErr != nil && refused(r.writeErr) {
		h.Refused = r.writeErr
	}
	switch {
	case !r.inStep:
		h.Err = r.feedErr
	case time.Since(r.alive) > MaxSilence:
		h.Err = errors.New("the feed is silent")
	case r.writeErr != nil:
		h.Err = r.writeErr
	case open:
		h.Err = fmt.Errorf("calls to redis fail: %w", gobreaker.ErrOpenState)
	}
	h.Connected = h.Err == nil
	return h
}

// probe writes a short-lived key each second, so that a Redis that is read-only, full or gone is known before a user
// wants to sign in, and so that the breaker closes again without traffic. Before the first success, and after each
// failure, it tries every command that calls need: an ACL that lacks one is found before a user does.
func (r *Redis) probe(ctx context.Context) {
	tried := false
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := r.call(ctx, "probe redis", func(ctx context.Context) error {
			return r.calls.Set(ctx, r.key("node:", r.opts.Node), "1", 5*time.Second).Err()
		})
		if err == nil && !tried {
			err = r.tryCommands(ctx)
		}
		tried = err == nil
		if ctx.Err() != nil {
			return
		}
		r.noteProbe(err)
		if err != nil {
			tick.Reset(probeEvery / 4)
			continue
		}
		tick.Reset(probeEvery)
	}
}

// noteProbe keeps what the last probe found, and logs each trouble once.
func (r *Redis) noteProbe(err error) {
	r.health.Lock()
	before := r.writeErr
	r.writeErr = err
	r.health.Unlock()
	if err != nil && refused(err) && (before == nil || before.Error() != err.Error()) {
		r.log.Warn("redis is in trouble", "server", r.opts.String(), "error", err)
	}
}

// Close ends Run and all connections.
func (r *Redis) Close() error {
	var err error
	r.close.Do(func() {
		close(r.closed)
		err = errors.Join(r.calls.Close(), r.feed.Close())
	})
	return err
}

var quietOnce sync.Once

// quiet silences the client's own logger, which writes to stderr; Run and the breaker log what an operator needs.
func quiet() { quietOnce.Do(func() { redis.SetLogger(silent{}) }) }

type silent struct{}

// Printf drops the line.
func (silent) Printf(context.Context, string, ...any) {}

var _ Cluster = (*Redis)(nil)
