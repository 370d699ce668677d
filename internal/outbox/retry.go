package outbox

import (
	"math/rand/v2"
	"time"
)

const (
	// firstRetry is the pause after a first attempt; it doubles until lastRetry.
	firstRetry = 2 * time.Second
	lastRetry  = time.Hour
	// giveUpAfter is the age at which an entry is not tried again.
	giveUpAfter = 24 * time.Hour
)

// retryPause returns how long to wait after so many attempts. It grows, and differs from entry to entry by up to a
// half, so that a receiver which comes back is not met by all of them at once.
func retryPause(attempts int) time.Duration {
	pause := lastRetry
	if attempts < 12 {
		pause = min(firstRetry<<max(attempts-1, 0), lastRetry)
	}
	return pause/2 + rand.N(pause/2+1)
}
