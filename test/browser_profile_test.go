package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// UX section 3, profile: a person's name, the zone that times are shown in, and their own data as a file.
func TestProfileInTheBrowser(t *testing.T) {
	ways(t, func(t *testing.T, plain bool) {
		s := factorPages.open(t)
		v := s.view(t, plain)
		f := v.member(s, "quinn")
		profile := v.at("app", "/.truxe/account/profile")
		v.Open(profile)
		v.signIn(f.name, f.password)
		v.WaitText("h1", "Your profile")
		v.Fill("#name", "Quinn <b>")
		v.submit()
		v.WaitText(".note.ok", "Your profile is saved.")
		if !plain {
			if known := rig.Eval[bool](v.Chromium,
				`[...document.querySelectorAll("#zones option")].some(o => o.value === "Pacific/Kiritimati")`); !known {
				t.Error("no zones are offered")
			}
		}
		v.Fill("#zone", "Mars/Olympus")
		v.Click("form:has(#zone) button")
		v.WaitText(".summary", "Choose a time zone from the list")
		v.focused()
		if kept := rig.Eval[string](v.Chromium,
			`document.querySelector("#zone").value + "|" + document.querySelector("#name").value`); kept != "Mars/Olympus|Quinn <b>" {
			t.Errorf("the form kept %q", kept)
		}
		v.check("zone-refused")
		v.Fill("#zone", "Pacific/Kiritimati")
		v.Click("form:has(#zone) button")
		v.WaitText(".note.ok", "Your profile is saved.")
		v.check("profile")

		// 14 hours ahead of UTC all year; without JavaScript a time says that it is UTC.
		v.Open(v.at("app", "/.truxe/account/sessions"))
		v.WaitText("h1", "Your devices")
		moment := rig.Eval[[]string](v.Chromium,
			`(e => [e.dateTime, e.textContent])(document.querySelector("time[data-local=datetime]"))`)
		at, err := time.Parse(time.RFC3339, moment[0])
		if err != nil {
			t.Fatal(err)
		}
		want := at.UTC().Format("15:04") + " UTC"
		if !plain {
			want = at.UTC().Add(14 * time.Hour).Format("3:04")
		}
		if !strings.Contains(moment[1], want) {
			t.Errorf("%s is shown as %q, want %s", moment[0], moment[1], want)
		}

		v.Open(profile)
		file := filepath.Join(v.Downloads(), "my-data.json")
		var raw []byte
		for range 2 { // the page stays, and its button works again
			_ = os.Remove(file)
			v.Click("form:has([value=export]) button")
			rig.WaitFor(t, pageWait, "a file", func() bool {
				raw, err = os.ReadFile(file)
				return err == nil && json.Valid(raw)
			})
		}
		var data struct {
			Profile struct {
				Username, Name string
				Zone           string `json:"time_zone"`
			}
		}
		if err := json.Unmarshal(raw, &data); err != nil || data.Profile.Username != f.name ||
			data.Profile.Name != "Quinn <b>" || data.Profile.Zone != "Pacific/Kiritimati" {
			t.Errorf("%v: %s", err, raw)
		}
		v.quiet("download")
	})
}
