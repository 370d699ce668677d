package mail

import (
	"testing"
	"time"
)

func TestPausesGrowAndDiffer(t *testing.T) {
	before := time.Duration(0)
	for tries := range 40 {
		least, most := lastRetry, time.Duration(0)
		for range 200 {
			pause := RetryPause(tries)
			least, most = min(least, pause), max(most, pause)
		}
		if least < firstRetry/2 || most > lastRetry || most == least || tries > 1 && tries < 11 && most <= before {
			t.Errorf("try %d: %v to %v after %v", tries, least, most, before)
		}
		before = most
	}
}
