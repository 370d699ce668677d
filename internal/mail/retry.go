package mail

import (
	"math/rand/v2"
	"time"
)

const (
	// firstRetry is the pause after a first try; it doubles until lastRetry.
	firstRetry = 2 * time.Second
	lastRetry  = time.Hour
	// GiveUp is after how long a mail is not tried again.
	GiveUp = 24 * time.Hour
)

// RetryPause is how long to wait after so many tries. It grows, and differs from mail to mail by up to a half, so that a
// server which comes back is not met by all of them at once.
func RetryPause(tries int) time.Duration {
	pause := lastRetry
	if tries < 12 {
		pause = min(firstRetry<<max(tries-1, 0), lastRetry)
	}
	return pause/2 + rand.N(pause/2+1)
}
