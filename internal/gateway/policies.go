package gateway

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/policy/policyfile"
	"github.com/truxeio/caddy-truxe/internal/regular"
)

// policyPoll is how often the policy files are looked at. They are applied when two looks in a row find the same, so that
// a file which is being written is not taken for a finished one (FAULTS 23).
const policyPoll = time.Second

// policyFiles are checked policy files as the sites' rules take them.
type policyFiles struct {
	*policyfile.Document
	tests *policyfile.Report
}

// RoleModel is what the files say of roles.
func (p policyFiles) RoleModel() *policy.RoleModel { return p.Roles }

// Version names the files by their digest.
func (p policyFiles) Version() string { return p.Digest }

// ReadPolicies reads and checks the policy files of a directory and runs their tests. "" is no directory. It does no other
// I/O, so `caddy validate` finds every mistake in them.
func ReadPolicies(dir string) (*gate.Rules, error) {
	if dir == "" {
		return gate.NewRules(nil), nil
	}
	sources, err := ReadPolicyDir(dir)
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	files, err := checkPolicies(sources)
	if err != nil {
		return nil, err
	}
	return gate.NewRules(files), nil
}

// ReadPolicyDir reads the policy files of a directory and the tests beside them, unparsed.
func ReadPolicyDir(dir string) ([]policyfile.Source, error) {
	return policyfile.ReadFS(regular.DirFS(dir), filepath.ToSlash(dir))
}

// checkPolicies parses policy files and runs the tests beside them. Policies whose own tests fail are not put in force.
func checkPolicies(sources []policyfile.Source) (policyFiles, error) {
	doc, report, err := policyfile.Test(sources)
	if err != nil {
		return policyFiles{}, err
	}
	if report.Failed > 0 {
		var text strings.Builder
		_ = report.WriteText(&text)
		return policyFiles{}, fmt.Errorf("policies: tests fail\n%s", text.String())
	}
	return policyFiles{doc, report}, nil
}

// TestPolicies reads policy files and runs the tests beside them, whatever comes of them.
func TestPolicies(dir string) (*policyfile.Document, *policyfile.Report, error) {
	sources, err := ReadPolicyDir(dir)
	if err != nil {
		return nil, nil, err
	}
	return policyfile.Test(sources)
}

// policyWatch keeps the rules at what the files say.
type policyWatch struct {
	g    *Gateway
	mu   sync.Mutex
	now  policy.FilesState
	seen [sha256.Size]byte // what was applied or refused last
	last [sha256.Size]byte // what the look before this one found
}

func (g *Gateway) watchPolicies(run context.Context) {
	if g.cfg.Policies == "" {
		return
	}
	w := &g.policies
	w.g, w.now = g, policy.FilesState{Dir: g.cfg.Policies, Digest: g.cfg.Rules.Version(), Since: stamp(g.now())}
	g.cfg.Metrics.Ready("policies", true)
	if files, ok := g.cfg.Rules.Policies().(policyFiles); ok {
		w.warn(files)
	}
	g.done.Go(func() {
		tick := time.NewTicker(policyPoll)
		defer tick.Stop()
		for {
			select {
			case <-run.Done():
				return
			case <-tick.C:
				w.look()
			}
		}
	})
}

// look reads the files once. What is new and has settled is applied at once at all sites, or refused as a whole with the
// reason, and then the rules before it stay (AZ-01, AZ-10).
func (w *policyWatch) look() {
	sources, err := ReadPolicyDir(w.g.cfg.Policies)
	sum := sumOf(sources, err)
	settled := sum == w.last
	if w.last = sum; !settled || sum == w.seen {
		return
	}
	w.seen = sum
	if err == nil {
		var files policyFiles
		if files, err = checkPolicies(sources); err == nil && files.Digest == w.digest() {
			w.done(files.Digest, nil) // only a test changed, or what was before came back
			return
		}
		if err == nil {
			if err = w.g.cfg.Rules.Replace(files); err == nil {
				w.g.setRoles(files.Roles)
				w.warn(files)
				w.done(files.Digest, nil)
				w.g.cfg.Logger.Info("new policy files are in force", "digest", files.Digest[:12], "rules", len(files.Rules))
				return
			}
		}
	}
	w.done("", err)
	w.g.cfg.Logger.Error("the changed policy files are not in force; those before them stay", "error", err)
}

// maxWarnings bounds what one set of files may say in the log.
const maxWarnings = 20

// warn logs what is valid in policy files and looks wrong, such as a rule that can never decide anything.
func (w *policyWatch) warn(files policyFiles) {
	n := 0
	for _, f := range policyfile.Lint(files.Document, policyfile.Context{Hosts: w.g.cfg.Hosts(), Roles: w.g.cfg.RolesNamed(), Report: files.tests}) {
		if f.Note || f.ID == policyfile.FindUntested {
			continue
		}
		if n++; n > maxWarnings {
			w.g.cfg.Logger.Warn("more in these policy files looks wrong; see: caddy truxe policy lint")
			return
		}
		w.g.cfg.Logger.Warn("policy: "+f.Text, "place", f.Place, "remedy", f.Remedy, "finding", f.ID)
	}
}

func (w *policyWatch) digest() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now.Digest
}

func (w *policyWatch) done(digest string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.g.cfg.Metrics.Ready("policies", err == nil)
	w.now.Problem = ""
	switch {
	case err != nil:
		w.now.Problem = err.Error()
	case digest != w.now.Digest:
		w.now.Digest, w.now.Since = digest, stamp(w.g.now())
	}
}

// state is for command line and API.
func (w *policyWatch) state() policy.FilesState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// sumOf identifies what a look has found, failures included.
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
