package cluster

import (
	"container/list"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Bounds of each room of the in-process store of short-lived values (OP-06): the oldest value of the room is removed.
const (
	DefaultValues     = 20_000
	DefaultValueBytes = 12 << 20
	// maxRooms bounds the rooms, and with them the whole store. The gateway has four kinds of values.
	maxRooms = 8
	// MaxValue is the largest single value, in bytes, on both twins.
	MaxValue = 1 << 20
	// valueOverhead is what an entry costs besides key and value: map slot, list element, headers.
	valueOverhead = 200
)

// rooms keeps values apart by kind, which is what precedes ":" in their key: however many values of one kind there are,
// they push out none of another.
type rooms struct {
	clock            *clock
	maxLen, maxBytes int
	mu               sync.Mutex
	byKind           map[string]*values
}

func newRooms(maxLen, maxBytes int, c *clock) *rooms {
	return &rooms{clock: c, maxLen: maxLen, maxBytes: maxBytes, byKind: map[string]*values{}}
}

// of returns the room of a key. Kinds beyond maxRooms share the last one.
func (r *rooms) of(key string) *values {
	kind, _, ok := strings.Cut(key, ":")
	if !ok {
		kind = ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if room, ok := r.byKind[kind]; ok {
		return room
	}
	if len(r.byKind) >= maxRooms-1 {
		kind = ""
		if room, ok := r.byKind[kind]; ok {
			return room
		}
	}
	room := newValues(r.maxLen, r.maxBytes, r.clock)
	r.byKind[strings.Clone(kind)] = room
	return room
}

type values struct {
	clock            *clock
	maxLen, maxBytes int
	mu               sync.Mutex
	index            map[string]*list.Element
	age              *list.List // oldest first
	bytes            int
}

type value struct {
	key  string
	data []byte
	end  int64
}

func newValues(maxLen, maxBytes int, c *clock) *values {
	return &values{clock: c, maxLen: maxLen, maxBytes: maxBytes, index: map[string]*list.Element{}, age: list.New()}
}

func checkValue(key string, data []byte, ttl time.Duration) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(data) > MaxValue {
		return fmt.Errorf("%w: value of %d bytes", ErrInvalid, len(data))
	}
	if ttl < time.Millisecond {
		return fmt.Errorf("%w: value for %s", ErrInvalid, ttl)
	}
	return nil
}

func (v *value) size() int { return len(v.key) + len(v.data) + valueOverhead }

// put stores a copy; with fresh it does so only when the key is absent.
func (v *values) put(key string, data []byte, ttl time.Duration, fresh bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.clock.read()
	if el := v.live(key, now); el != nil {
		if fresh {
			return false
		}
		v.remove(el)
	}
	e := &value{key: key, data: append([]byte(nil), data...), end: now + int64(ttl)}
	for el := v.age.Front(); el != nil; el = v.age.Front() {
		expired := el.Value.(*value).end <= now
		if !expired && v.age.Len() < v.maxLen && v.bytes+e.size() <= v.maxBytes {
			break
		}
		v.remove(el)
	}
	v.index[key] = v.age.PushBack(e)
	v.bytes += e.size()
	return true
}

// get returns a copy; with take it deletes the entry under the same lock, so one of many callers gets it (R5).
func (v *values) get(key string, take bool) ([]byte, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	el := v.live(key, v.clock.read())
	if el == nil {
		return nil, false
	}
	data := el.Value.(*value).data
	if take {
		v.remove(el)
		return data, true
	}
	return append([]byte(nil), data...), true
}

func (v *values) live(key string, now int64) *list.Element {
	el := v.index[key]
	if el == nil {
		return nil
	}
	if el.Value.(*value).end <= now {
		v.remove(el)
		return nil
	}
	return el
}

func (v *values) remove(el *list.Element) {
	e := v.age.Remove(el).(*value)
	delete(v.index, e.key)
	v.bytes -= e.size()
}
