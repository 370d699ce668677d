package claim

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"
)

// holder says which process holds a store, for the error that another one gets.
type holder struct {
	// of the process; process ids and host names are the same in many containers
	ID      string    `json:"id,omitempty"`
	Command bool      `json:"command,omitempty"` // a command of the command line, which ends soon
	Host    string    `json:"host"`
	Boot    string    `json:"boot,omitempty"` // the running kernel: processes with the same one see each other's locks
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	Site    string    `json:"site,omitempty"` // an address that it serves
}

var (
	processID    = rand.Text()
	processStart = time.Now().UTC().Truncate(time.Millisecond)
)

func holderOf(o Options) holder {
	h := holder{ID: processID, Command: o.Command, PID: os.Getpid(), Since: processStart}
	h.Host, _ = os.Hostname()
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.Boot = string(bytes.TrimSpace(boot))
	}
	h.Site = o.Site
	return h
}

// readHolder reads what another process wrote. What cannot be read is a holder of which nothing is known.
func readHolder(text []byte) holder {
	var h holder
	if err := json.Unmarshal(text, &h); err != nil {
		return holder{}
	}
	h.Host, h.Site, h.Boot = plain(h.Host), plain(h.Site), plain(h.Boot)
	return h
}

// plain is text of another process as an error may repeat it.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 200)]
}

func (h holder) text() []byte {
	raw, err := json.Marshal(h)
	if err != nil { // a year beyond 9999
		return nil
	}
	return raw
}

// same reports whether both are one process.
func (h holder) same(o holder) bool { return h.ID != "" && h.ID == o.ID }

// sees reports whether both run on one kernel, and so see each other's locks. Where the system has no name for that,
// the host's has to do.
func (h holder) sees(o holder) bool {
	if h.Boot == "" && o.Boot == "" {
		return h.Host != "" && h.Host == o.Host
	}
	return h.Boot == o.Boot
}

func (h holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	what := "gateway"
	if h.Command {
		what = "command"
	}
	if h.Site != "" {
		what += " for " + h.Site
	}
	return fmt.Sprintf("process %d on host %s (%s, since %s)", h.PID, h.Host, what, h.Since.Format(time.RFC3339))
}
