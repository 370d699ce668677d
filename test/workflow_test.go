package test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/test/rig"
)

var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)

// A tag of an action can be moved to other code. Each action is named by the hash of a commit, with its version behind
// it.
func TestWorkflowsPinTheirActions(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(rig.Root(), ".github", "workflows", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflow was found: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var flow struct {
			Permissions map[string]string
			Jobs        map[string]struct{ Steps []struct{ Uses yaml.Node } }
		}
		if err := yaml.Unmarshal(raw, &flow); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(flow.Permissions) != 1 || flow.Permissions["contents"] != "read" {
			t.Errorf("%s: by default a job may read the repository and nothing else: %v", file, flow.Permissions)
		}
		for job, j := range flow.Jobs {
			for _, s := range j.Steps {
				if s.Uses.Value != "" && (!pinned.MatchString(s.Uses.Value) ||
					!regexp.MustCompile(`^# v\d`).MatchString(s.Uses.LineComment)) {
					t.Errorf("%s, job %s: %s is not pinned by hash and version", file, job, s.Uses.Value)
				}
			}
		}
	}
}
