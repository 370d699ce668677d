package outbox

import (
	"testing"
	"time"
)

func TestPausesGrowAndDiffer(t *testing.T) {
	before := time.Duration(0)
	for attempts := range 40 {
		least, most := lastRetry, time.Duration(0)
		for range 200 {
			pause := retryPause(attempts)
			least, most = min(least, pause), max(most, pause)
		}
		if least < firstRetry/2 || most > lastRetry || most == least || attempts > 1 && attempts < 11 && most <= before {
			t.Errorf("attempt %d: %v to %v after %v", attempts, least, most, before)
		}
		before = most
	}
}
