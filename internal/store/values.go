package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// ms is a time as it is stored; the zero time is 0.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMS(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func list(v []string) string {
	if len(v) == 0 {
		return "[]"
	}
	raw, _ := json.Marshal(v) // strings always marshal
	return string(raw)
}

// maxNote bounds descriptive text in runes, so that no client can fill a row with its User-Agent.
const maxNote = 512

// note returns descriptive text from outside in a form that can be stored: PostgreSQL accepts neither NUL nor broken
// UTF-8.
func note(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	n := 0
	for i := range s {
		if n == maxNote {
			return s[:i]
		}
		n++
	}
	return s
}

// storable refuses text that one of the databases would change or refuse. Names and keys must not be altered silently.
func storable(fields ...string) error {
	for _, s := range fields {
		if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
			return fmt.Errorf("%w: text with NUL or broken UTF-8", ErrInvalid)
		}
	}
	return nil
}

// Scanners, so that a damaged row is an error and never a zero value.

type scanTime struct{ to *time.Time }

func (s scanTime) Scan(v any) error {
	var n sql.NullInt64
	if err := n.Scan(v); err != nil {
		return err
	}
	*s.to = fromMS(n.Int64)
	return nil
}

type scanDuration struct{ to *time.Duration }

func (s scanDuration) Scan(v any) error {
	var n sql.NullInt64
	if err := n.Scan(v); err != nil {
		return err
	}
	*s.to = time.Duration(n.Int64) * time.Millisecond
	return nil
}

type scanID struct{ to *identity.ID }

func (s scanID) Scan(v any) error {
	var text sql.NullString
	if err := text.Scan(v); err != nil {
		return err
	}
	id, ok := identity.ParseID(text.String)
	if !ok {
		return fmt.Errorf("stored id %q is not an id", text.String)
	}
	*s.to = id
	return nil
}

// scanIDOrNone takes the empty text as the absent id.
type scanIDOrNone struct{ to *identity.ID }

func (s scanIDOrNone) Scan(v any) error {
	if text, ok := v.(string); ok && text == "" {
		*s.to = identity.ID{}
		return nil
	}
	return scanID(s).Scan(v)
}

func idOrNone(id identity.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

type scanHash struct{ to *[32]byte }

func (s scanHash) Scan(v any) error {
	raw, ok := v.([]byte)
	if !ok || len(raw) != len(s.to) {
		return fmt.Errorf("stored hash has %d bytes", len(raw))
	}
	copy(s.to[:], raw)
	return nil
}

type scanList struct{ to *[]string }

func (s scanList) Scan(v any) error {
	var text sql.NullString
	if err := text.Scan(v); err != nil {
		return err
	}
	*s.to = nil
	if text.String == "[]" {
		return nil
	}
	return json.Unmarshal([]byte(text.String), s.to)
}

type scanFlag struct{ to *bool }

func (s scanFlag) Scan(v any) error {
	var n sql.NullInt64
	if err := n.Scan(v); err != nil {
		return err
	}
	*s.to = n.Int64 != 0
	return nil
}
