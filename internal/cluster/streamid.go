package cluster

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// streamID is the id of a stream entry: milliseconds and a sequence number.
type streamID struct{ ms, seq uint64 }

func parseStreamID(s string) (streamID, error) {
	ms, seq, ok := strings.Cut(s, "-")
	a, err1 := strconv.ParseUint(ms, 10, 64)
	b, err2 := strconv.ParseUint(seq, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return streamID{}, errors.New("read feed: an id is malformed")
	}
	return streamID{a, b}, nil
}

func (i streamID) String() string { return fmt.Sprintf("%d-%d", i.ms, i.seq) }

func (i streamID) before(o streamID) bool { return i.ms < o.ms || (i.ms == o.ms && i.seq < o.seq) }
