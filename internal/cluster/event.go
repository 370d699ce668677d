package cluster

import (
	"fmt"
	"strconv"
)

// check refuses events that no node could read back.
func (e Event) check() error {
	switch e.Kind {
	case KindJTI, KindSession, KindUser:
		if e.Expires <= 0 {
			return fmt.Errorf("%w: revocation without an end", ErrInvalid)
		}
	case KindChanged:
	case KindKeys:
		if e.Name != "" {
			return fmt.Errorf("%w: event %q takes no name", ErrInvalid, e.Kind)
		}
		return nil
	default:
		return fmt.Errorf("%w: unknown event kind %q", ErrInvalid, e.Kind)
	}
	if e.Name == "" || len(e.Name) > MaxName {
		return fmt.Errorf("%w: event name of %d bytes", ErrInvalid, len(e.Name))
	}
	return nil
}

// fields is the event as the stream has it.
func (e Event) fields() []any {
	return []any{
		"kind", e.Kind, "name", e.Name,
		"at", strconv.FormatInt(e.At, 10), "expires", strconv.FormatInt(e.Expires, 10),
		"node", e.Node,
	}
}

// parseEvent reads a stream entry. Extra fields of a newer version are ignored, missing ones are an error.
func parseEvent(values map[string]any) (Event, error) {
	text := func(field string) string { s, _ := values[field].(string); return s }
	at, err := strconv.ParseInt(text("at"), 10, 64)
	if err != nil {
		return Event{}, fmt.Errorf("read time of feed entry: %w", err)
	}
	expires, err := strconv.ParseInt(text("expires"), 10, 64)
	if err != nil {
		return Event{}, fmt.Errorf("read end of feed entry: %w", err)
	}
	e := Event{Kind: text("kind"), Name: text("name"), At: at, Expires: expires, Node: text("node")}
	return e, e.check()
}
