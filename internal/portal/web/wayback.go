package web

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// wayLife is how long a login page may stay open and still lead back.
const wayLife = 12 * time.Hour

const (
	// maxTarget bounds the path and query of a way back. Caddy's default header limit is lower. A longer target leads
	// to the app's start.
	maxTarget = 64 << 10
	// maxFragment bounds what follows # in the address, as the pages' script does.
	maxFragment = 2048
	// compressFrom is the size from which a target is compressed: deflate gains nothing on short ones.
	compressFrom = 256
)

// Way is the way back of one sign-in. It is sealed into text that the browser carries, so that an anonymous navigation
// leaves nothing at the server (DESIGN R14).
type Way struct {
	Host     string   // folded, without port
	Port     string   // of the configured origin; "" for the scheme's own
	Target   string   // path and query
	Flow     [32]byte // hash of the flow cookie on Host
	Fragment string
	// Ask is what has to be proven before going on there (step-up); zero: a sign-in will do.
	Ask   identity.Assurance
	Begun time.Time // to the second
}

// Flags of an encoded way.
const (
	wayVersion  = 1
	flagDeflate = 1 << 0
	flagMFA     = 1 << 1
	flagPasskey = 1 << 2
	flagsKnown  = flagDeflate | flagMFA | flagPasskey
)

// encode returns the way as bytes: version, flags, flow hash, time, age of the proof, host, port, fragment, target. The
// target is last and compressed when it is long. Nothing but the target is compressed.
func (w *Way) encode() []byte {
	flags, small := byte(0), (*deflater)(nil)
	size := len(w.Target)
	if size >= compressFrom {
		small, _ = deflaters.Get().(*deflater)
		defer deflaters.Put(small)
		if n := small.deflate(w.Target); n < size {
			size, flags = n, flagDeflate
		}
	}
	if w.Ask.MFA {
		flags |= flagMFA
	}
	if w.Ask.Passkey {
		flags |= flagPasskey
	}
	out := make([]byte, 0, 64+len(w.Host)+len(w.Fragment)+size)
	out = append(out, wayVersion, flags)
	out = append(out, w.Flow[:]...)
	out = binary.AppendUvarint(out, uint64(max(0, w.Begun.Unix())))
	out = binary.AppendUvarint(out, uint64(max(0, w.Ask.MaxAge/time.Second)))
	for _, s := range []string{w.Host, w.Port, w.Fragment} {
		out = binary.AppendUvarint(out, uint64(len(s)))
		out = append(out, s...)
	}
	if flags&flagDeflate != 0 {
		return append(out, small.out.Bytes()...)
	}
	return append(out, w.Target...)
}

// decodeWay reads what encode wrote. It trusts nothing about it but its size: a later version may have sealed it.
func decodeWay(raw []byte) (Way, bool) {
	var w Way
	if len(raw) < 2+len(w.Flow) || raw[0] != wayVersion || raw[1]&^flagsKnown != 0 {
		return Way{}, false
	}
	flags := raw[1]
	raw = raw[2+copy(w.Flow[:], raw[2:]):]
	begun, raw, ok := number(raw, 1<<40)
	if !ok {
		return Way{}, false
	}
	age, raw, ok := number(raw, 1<<32)
	if !ok {
		return Way{}, false
	}
	w.Begun = time.Unix(int64(begun), 0)
	w.Ask = identity.Assurance{MFA: flags&flagMFA != 0, Passkey: flags&flagPasskey != 0,
		MaxAge: time.Duration(age) * time.Second}
	for _, s := range []*string{&w.Host, &w.Port, &w.Fragment} {
		var n uint64
		if n, raw, ok = number(raw, uint64(len(raw))); !ok || n > uint64(len(raw)) {
			return Way{}, false
		}
		*s, raw = string(raw[:n]), raw[n:]
	}
	if flags&flagDeflate != 0 {
		if raw, ok = inflate(raw); !ok {
			return Way{}, false
		}
	}
	w.Target = string(raw)
	return w, w.Host != "" && IsFragment(w.Fragment) && LocalPath(w.Target) != ""
}

// number reads a number that is at most limit.
func number(raw []byte, limit uint64) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(raw)
	if size <= 0 || n > limit {
		return 0, nil, false
	}
	return n, raw[size:], true
}

// deflater compresses one target after another, each into the same room.
type deflater struct {
	flate   *flate.Writer
	in, out bytes.Buffer
}

// deflaters are reused, since one costs 600 KB.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil { // only an unknown level is an error
		panic(err)
	}
	return &deflater{flate: w}
}}

// deflate compresses text into d.out and returns the size. A target is at most maxTarget long, and so is the room.
func (d *deflater) deflate(text string) int {
	d.in.Reset()
	d.out.Reset()
	d.in.WriteString(text)
	d.flate.Reset(&d.out)
	_, _ = d.flate.Write(d.in.Bytes()) // a bytes.Buffer takes everything
	_ = d.flate.Close()
	return d.out.Len()
}

// inflate undoes deflate and never returns more than maxTarget bytes.
func inflate(raw []byte) ([]byte, bool) {
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(raw)), maxTarget+1))
	return out, err == nil && len(out) <= maxTarget
}
