package cluster

import (
	"encoding/binary"
	"testing"
	"time"
)

// An id of a stream that is taken is written as it orders: the same id again.
func FuzzStreamID(f *testing.F) {
	for _, text := range []string{"0-0", "1700000000000-3", "18446744073709551615-18446744073709551615", "1", "-", "1-2-3",
		"+1-2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := parseStreamID(text)
		if err != nil {
			return
		}
		if again, err := parseStreamID(id.String()); err != nil || again != id || id.before(again) {
			t.Errorf("%q is read as %s, and again as %s", text, id, again)
		}
	})
}

// A reply of reserve.lua that is taken is this call's, has a state for each bucket and no negative time.
func FuzzReadOutcome(f *testing.F) {
	buckets := []Bucket{{Key: "a", Burst: 3, Window: time.Minute}}
	numbers := func(list ...int64) (raw []byte) {
		for _, n := range list {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(n))
		}
		return raw
	}
	f.Add("tag", numbers(1, 2, 0, 5))
	f.Add("other", numbers(1, 2, 0, 5))
	f.Add("tag", numbers(1, -2, 0, 5))
	f.Add("tag", numbers(1, 2, 1<<62, 1<<62))
	f.Add("tag", numbers(1))
	f.Add("tag", append(numbers(1, 2, 0), 7))
	f.Fuzz(func(t *testing.T, tag string, raw []byte) {
		reply := []any{tag}
		for ; len(raw) >= 8; raw = raw[8:] {
			reply = append(reply, int64(binary.LittleEndian.Uint64(raw)))
		}
		if len(raw) > 0 {
			reply = append(reply, string(raw))
		}
		out, err := readOutcome(reply, "tag", buckets)
		if err != nil {
			return
		}
		if tag != "tag" || len(reply) != 5 || out.Allowed != (reply[1] == int64(1)) || len(out.Limits) != 1 {
			t.Fatalf("%v: %+v", reply, out)
		}
		if l := out.Limits[0]; l.Remaining < 0 || l.RetryAfter < 0 || l.ResetAfter < 0 {
			t.Errorf("%v: %+v", reply, l)
		}
	})
}
