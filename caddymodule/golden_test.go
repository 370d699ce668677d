package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the Caddyfiles become now into testdata/adapt")

const divider = "----------\n"

// Each file of testdata/adapt is a Caddyfile, a line of dashes, and the JSON that it becomes: operators read the JSON
// in `caddy adapt` and keep configurations written in it, so it changes only on purpose.
func TestCaddyfilesBecomeTheirJSON(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "adapt", "*.txt"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(raw), divider)
			text, err := adaptText(input)
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, []byte(text), "", "\t"); err != nil {
				t.Fatal(err)
			}
			got := pretty.String() + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(input+divider+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("%s has become\n%s\nwant\n%s\n(go test ./caddymodule -run JSON -update writes it down)", file, got, want)
			}
		})
	}
}
