package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// line is the JSON of one event.
type line struct {
	Seq       int64   `json:"seq"`
	Time      string  `json:"time"`
	Event     string  `json:"event"`
	Outcome   string  `json:"outcome"`
	Actor     Actor   `json:"actor"`
	Subject   Subject `json:"subject"`
	IP        string  `json:"ip"`
	UserAgent string  `json:"user_agent"`
	Session   string  `json:"session"`
	request
	Reason    string            `json:"reason"`
	Reference string            `json:"reference"`
	Details   map[string]string `json:"details"`
	link
}

// request is the part of a line about the request that an event is about.
type request struct {
	Host   string `json:"host"`
	Method string `json:"method"`
	Path   string `json:"path"`
}

// link is the part of a line that ties it to the one before it.
type link struct {
	PrevHash string `json:"prev_hash"`
	Hash     string `json:"hash,omitempty"` // not part of what is hashed
}

const timeFormat = "2006-01-02T15:04:05.000Z"

// clean returns the line of an event without its place in the chain. It is done before the head of the chain is locked.
func clean(e Event) line {
	return line{Event: e.Event, Outcome: tidy(e.Outcome), Actor: Actor{tidy(e.Actor.ID), tidy(e.Actor.Name)},
		Subject: Subject{tidy(e.Subject.ID), tidy(e.Subject.Name), tidy(e.Subject.Session), tidy(e.Subject.Token)},
		IP:      tidy(e.IP), UserAgent: tidy(e.UserAgent),
		Session: tidy(e.Session),
		request: request{Host: tidy(e.Host), Method: tidy(e.Method), Path: tidy(e.Path)}, Reason: tidy(e.Reason),
		Reference: tidy(e.Reference), Details: tidyDetails(e.Event, e.Details)}
}

// follow returns the row of a line that follows a head: its canonical form (RFC 8785) with its hash.
func (l line) follow(seq int64, prev [32]byte, at time.Time) (store.AuditRow, error) {
	at = at.UTC().Truncate(time.Millisecond)
	l.Seq, l.Time, l.PrevHash = seq+1, at.Format(timeFormat), hex.EncodeToString(prev[:])
	plain, err := json.Marshal(l)
	if err != nil {
		return store.AuditRow{}, fmt.Errorf("audit line: %w", err)
	}
	canonical, err := jcs.Transform(plain)
	if err != nil {
		return store.AuditRow{}, fmt.Errorf("audit line: %w", err)
	}
	hash := sha256.Sum256(canonical)
	// The order of members puts hash right before host. No text holds these bytes, since its quotes are escaped, and
	// details, whose names are free, come before.
	host := bytes.LastIndex(canonical, []byte(`"host":"`))
	whole := make([]byte, 0, len(canonical)+80)
	whole = append(whole, canonical[:host]...)
	whole = append(whole, `"hash":"`+hex.EncodeToString(hash[:])+`",`...)
	whole = append(whole, canonical[host:]...)
	return store.AuditRow{Seq: l.Seq, Time: at, Event: l.Event, Outcome: l.Outcome, ActorID: l.Actor.ID,
		SubjectID: l.Subject.ID, IP: l.IP,
		Reference: l.Reference, Line: whole, Hash: hash}, nil
}

// maxLine bounds a line that is read back, in bytes: more than build can make.
const maxLine = 256 << 10

var (
	errNotLine = errors.New("it is not a line of an audit log")
	errChanged = errors.New("it was changed: its hash does not match")
)

// read checks one line by itself. What was hashed is the canonical line without its hash, which is the line as it
// stands with that one member taken out, so every other byte counts. With errChanged the fields are still what the line
// says.
func read(raw []byte) (l line, stated [32]byte, err error) {
	if len(raw) > maxLine || json.Unmarshal(raw, &l) != nil || l.Seq < 1 {
		return line{}, stated, errNotLine
	}
	sum, err := hex.DecodeString(l.Hash)
	if err != nil || len(sum) != len(stated) {
		return line{}, stated, errNotLine
	}
	copy(stated[:], sum)
	before, after, found := bytes.Cut(raw, []byte(`"hash":"`+l.Hash+`",`))
	if !found || bytes.Contains(after, []byte(`"hash":"`+l.Hash+`"`)) {
		return l, stated, errChanged
	}
	h := sha256.New()
	h.Write(before)
	h.Write(after)
	if [32]byte(h.Sum(nil)) != stated {
		return l, stated, errChanged
	}
	return l, stated, nil
}
