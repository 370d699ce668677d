package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
)

// A sealed way may be as long as the address it leads to. Caddy takes it, but proxies in front of Caddy have less room
// in the header of an answer: nginx 4 KiB by default (proxy_buffer_size). So a long way is stored in one of a fixed
// number of places, and the address carries the number of the place. A place is never taken from the way that is in it,
// so a flood ends no sign-in that was begun before. When no place is free the address carries the whole way.
const (
	// longWay is the length of a sealed way from which a place is looked for.
	longWay = 3 << 10
	// overflowPlaces times maxStored is what all of them may take: 8 MiB.
	overflowPlaces = 256
	maxStored      = 32 << 10
	// placeLife is how long a way stays in its place. It is shorter than wayLife, since the places are few and anyone
	// can take them: 256 links an hour would otherwise keep all of them for half a day.
	placeLife = 30 * time.Minute
	// overflowTries is how many places are looked at for one way.
	overflowTries = 2
	// maxSealed bounds the id that a client may send: the largest target, not compressed, as base64.
	maxSealed = maxTarget*4/3 + 8<<10
)

// Overflow stores long ways.
type Overflow struct{ Cluster cluster.Cluster }

// put stores a sealed way and returns the id of its place. It reports false when no free place was found.
func (o Overflow) put(ctx context.Context, sealed string) (id string, ok bool) {
	if len(sealed) > maxStored {
		return "", false
	}
	sum := sha256.Sum256([]byte(sealed)) // of a fresh nonce, so the places are random; the mark is other bytes of it
	for try := range overflowTries {
		place := int(sum[len(sum)-1-try])
		if stored, err := o.Cluster.PutNew(ctx, wayKey(place), []byte(sealed), placeLife); err == nil && stored {
			return strconv.Itoa(place) + "." + wayMark(sealed), true
		}
	}
	return "", false
}

// get returns the sealed way at a place, if it is the one that the id was given for.
func (o Overflow) get(ctx context.Context, id string) (sealed string, ok bool) {
	number, mark, _ := strings.Cut(id, ".")
	place, err := strconv.Atoi(number)
	if err != nil || place < 0 || place >= overflowPlaces || number != strconv.Itoa(place) {
		return "", false
	}
	raw, ok, err := o.Cluster.Get(ctx, wayKey(place))
	if err != nil || !ok || subtle.ConstantTimeCompare([]byte(wayMark(string(raw))), []byte(mark)) != 1 {
		return "", false
	}
	return string(raw), true
}

func wayKey(place int) string { return "way:" + strconv.Itoa(place) }

// wayMark names a sealed way. It cannot be guessed without the way.
func wayMark(sealed string) string {
	sum := sha256.Sum256([]byte(sealed))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
