package ratelimit

import (
	"strconv"
	"strings"
	"time"
)

// Fields renders the values of RateLimit and RateLimit-Policy: lists of strings with integer parameters (RFC 9651),
// as draft-ietf-httpapi-ratelimit-headers-10 defines them. r is what remains, t the whole seconds until more is
// there, q the quota and w its window in seconds.
func Fields(limits ...Limit) (rateLimit, policy string) {
	var state, rule strings.Builder
	for i, l := range limits {
		if i > 0 {
			state.WriteString(", ")
			rule.WriteString(", ")
		}
		wait := l.ResetAfter
		if l.Remaining == 0 {
			wait = l.RetryAfter
		}
		// Names are constants of this package: lower-case letters, so quoting them needs no escapes.
		state.WriteString(`"` + l.Name + `";r=` + strconv.Itoa(l.Remaining) + `;t=` + seconds(wait))
		rule.WriteString(`"` + l.Name + `";q=` + strconv.Itoa(l.Quota) + `;w=` + seconds(l.Window))
	}
	return state.String(), rule.String()
}

// seconds rounds up: a client that waits t seconds must not be refused again.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((max(d, 0)+time.Second-1)/time.Second), 10)
}
