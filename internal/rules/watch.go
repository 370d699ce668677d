package rules

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/policy/policyfile"
)

// policyPoll is how often the policy files are read. They apply after two identical polls, so that a file which is
// being written is not taken for a finished one (FAULTS 23).
const policyPoll = time.Second

// Watcher keeps the rules of a book at what the policy files say.
type Watcher struct {
	WatcherConfig

	mu    sync.Mutex
	state policy.FilesState
	seen  [sha256.Size]byte // what was applied or rejected last
	last  [sha256.Size]byte // what the poll before this one read
}

// WatcherConfig says what a Watcher watches. All fields are required.
type WatcherConfig struct {
	Dir          string // of the policy files
	Book         *Book
	Hosts, Roles []string      // that the rest of the configuration names, for warnings
	OnState      func(ok bool) // is called with false when changed files were rejected
	Logger       *slog.Logger
	Now          func() time.Time
}

// NewWatcher returns a watcher of files that the book has in force, and logs what looks wrong in them.
func NewWatcher(c WatcherConfig) *Watcher {
	w := &Watcher{WatcherConfig: c, state: policy.FilesState{Dir: c.Dir, Digest: c.Book.Version(), Since: stamp(c.Now())}}
	w.OnState(true)
	if files, ok := w.Book.Files().(document); ok {
		w.warn(files)
	}
	return w
}

// Run polls the files until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	tick := time.NewTicker(policyPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.poll()
		}
	}
}

// poll reads the files once. What is new and has settled is applied at once at all sites, or rejected as a whole with
// the reason, and then the previous rules stay (AZ-01, AZ-10).
func (w *Watcher) poll() {
	sources, err := ReadDir(w.Dir)
	sum := sumOf(sources, err)
	settled := sum == w.last
	if w.last = sum; !settled || sum == w.seen {
		return
	}
	w.seen = sum
	if err == nil {
		err = w.apply(sources)
	}
	if err != nil {
		w.done("", err)
		w.Logger.Error("the changed policy files are not in force; keeping the previous ones", "error", err)
	}
}

// apply puts files in force, unless something is wrong with them.
func (w *Watcher) apply(sources []policyfile.Source) error {
	files, err := check(sources)
	if err != nil {
		return err
	}
	if files.Digest != w.digest() { // otherwise only a test changed, or the files in force came back
		if err := w.Book.Replace(files); err != nil {
			return err
		}
		w.warn(files)
		w.Logger.Info("new policy files are in force", "digest", files.Digest[:12], "rules", len(files.Rules))
	}
	w.done(files.Digest, nil)
	return nil
}

// maxWarnings bounds what one set of files may say in the log.
const maxWarnings = 20

// warn logs what is valid in policy files and looks wrong, such as a rule that can never decide anything.
func (w *Watcher) warn(files document) {
	n := 0
	for _, f := range policyfile.Lint(files.Document, policyfile.Context{Hosts: w.Hosts, Roles: w.Roles,
		Report: files.tests}) {
		if f.Note || f.ID == policyfile.FindUntested {
			continue
		}
		if n++; n > maxWarnings {
			w.Logger.Warn("more in these policy files looks wrong; see: caddy truxe policy lint")
			return
		}
		w.Logger.Warn("policy: "+f.Text, "place", f.Place, "remedy", f.Remedy, "finding", f.ID)
	}
}

func (w *Watcher) digest() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Digest
}

func (w *Watcher) done(digest string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.OnState(err == nil)
	w.state.Problem = ""
	switch {
	case err != nil:
		w.state.Problem = err.Error()
	case digest != w.state.Digest:
		w.state.Digest, w.state.Since = digest, stamp(w.Now())
	}
}

// State returns which files are in force and why newer ones are not. A nil Watcher has none.
func (w *Watcher) State() policy.FilesState {
	if w == nil {
		return policy.FilesState{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// sumOf identifies what was read, failures included.
func sumOf(sources []policyfile.Source, err error) [sha256.Size]byte {
	h := sha256.New()
	if err != nil {
		fmt.Fprintf(h, "error %s", err)
	}
	for _, s := range sources {
		fmt.Fprintf(h, "%d %s %d ", len(s.Name), s.Name, len(s.Text))
		h.Write(s.Text)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
