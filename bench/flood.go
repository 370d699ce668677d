package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// flooders is how many sign-ins with a wrong password run at once.
const flooders = 50

// flood measures proxied requests of somebody signed in, at a steady rate, quiet and during a flood of sign-ins, in
// turns. The figure to hold: the p99 within twice its quiet value.
func flood(s *scenario, rounds int, length time.Duration) error {
	var quiet, loud []sample
	var answers sync.Map
	for range rounds {
		a, err := s.steady(length)
		if err != nil {
			return err
		}
		stop := startFlood("http://"+s.server.addr, &answers)
		time.Sleep(200 * time.Millisecond)
		b, err := s.steady(length)
		stop()
		if err != nil {
			return err
		}
		quiet, loud = append(quiet, a), append(loud, b)
	}
	q, l := summary(quiet), summary(loud)
	fmt.Printf("\n%d sign-ins at once: p99 of proxied requests %s, quiet %s, ratio %.2f\nanswers to the sign-ins by status:", flooders,
		l.p99.Round(time.Microsecond), q.p99.Round(time.Microsecond), float64(l.p99)/float64(q.p99))
	answers.Range(func(status, n any) bool {
		fmt.Printf(" %d: %d", status, n.(*atomic.Int64).Load())
		return true
	})
	fmt.Println()
	return nil
}

// steady sends 300 requests a second.
func (s *scenario) steady(length time.Duration) (sample, error) {
	attacker := vegeta.NewAttacker(vegeta.Workers(8), vegeta.KeepAlive(true), vegeta.Timeout(10*time.Second))
	targeter := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: s.url, Header: s.headers()})
	var m vegeta.Metrics
	for res := range attacker.Attack(targeter, vegeta.Rate{Freq: 300, Per: time.Second}, length, s.name) {
		m.Add(res)
		if res.Code != http.StatusOK {
			return sample{}, fmt.Errorf("status %d %s", res.Code, res.Error)
		}
	}
	m.Close()
	return sample{p50: m.Latencies.P50, p99: m.Latencies.P99}, nil
}

// startFlood signs in under ever new names, so that the hashing pool and not the limits is what bounds it.
func startFlood(base string, answers *sync.Map) (stop func()) {
	var wg sync.WaitGroup
	var n atomic.Int64
	done := make(chan struct{})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: flooders}, Timeout: 20 * time.Second}
	for range flooders {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				body := fmt.Sprintf(`{"username":"nobody%d","password":"wrong password %d"}`, n.Add(1), n.Load())
				resp, err := client.Post(base+"/.truxe/api/v1/login", "application/json", strings.NewReader(body))
				if err != nil {
					return
				}
				resp.Body.Close()
				count, _ := answers.LoadOrStore(resp.StatusCode, new(atomic.Int64))
				count.(*atomic.Int64).Add(1)
				if resp.StatusCode != http.StatusUnauthorized {
					time.Sleep(100 * time.Millisecond) // a flood, but not a busy loop on 503
				}
			}
		})
	}
	return func() {
		close(done)
		wg.Wait()
	}
}
