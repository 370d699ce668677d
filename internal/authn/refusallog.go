package authn

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// refusalPause is how long further refusals of bearer tokens for the same reason are only counted.
	refusalPause = time.Minute
	// maxRefusals bounds the reasons that are told apart. They come from the code and from the names of configured
	// issuers, never from a token, so there are a few dozen for each issuer.
	maxRefusals = 1000
)

// RefusalLog logs why bearer tokens are refused: of each reason the first at once, then at most one line a minute.
type RefusalLog struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	seen map[string]*refusedReason
}

type refusedReason struct {
	logged time.Time
	more   int // refusals that were not logged since
}

// NewRefusalLog returns an empty log.
func NewRefusalLog(log *slog.Logger, now func() time.Time) *RefusalLog {
	return &RefusalLog{log: log, now: now}
}

// Note logs or counts the refusal of one token.
func (r *RefusalLog) Note(why error) {
	text, now := why.Error(), r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.seen[text]
	if known == nil {
		if r.seen == nil || len(r.seen) >= maxRefusals {
			r.seen = map[string]*refusedReason{}
		}
		known = &refusedReason{}
		r.seen[text] = known
	} else if now.Sub(known.logged).Abs() < refusalPause {
		known.more++
		return
	}
	r.log.Info("a bearer token was refused", "error", text, "before", known.more)
	known.logged, known.more = now, 0
}
