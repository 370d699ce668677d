package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// flooders is how many sign-ins with a wrong password run at once.
const flooders = 50

// flood measures proxied requests of a signed-in user, at a steady rate, in turns: quiet, next to an unrelated process
// that keeps one processor busy, and during a flood of sign-ins. The figure to hold: the p99 of the last within twice
// the quiet one. The middle one shows what the machine itself takes when another process computes.
func flood(s *scenario, rounds int, length time.Duration) error {
	var quiet, busy, loud []sample
	var answers sync.Map
	for range rounds {
		a, err := s.steady(length)
		if err != nil {
			return err
		}
		beside, err := s.besideABusyProcess(length)
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
		quiet, busy, loud = append(quiet, a), append(busy, beside), append(loud, b)
	}
	q, l, other := summary(quiet), summary(loud), summary(busy)
	fmt.Printf("\n%d sign-ins at once: p99 of proxied requests %s, quiet %s, ratio %.2f (next to an unrelated busy process %s, %.2f)\nanswers to the sign-ins by status:", flooders,
		l.p99.Round(time.Microsecond), q.p99.Round(time.Microsecond), float64(l.p99)/float64(q.p99),
		other.p99.Round(time.Microsecond), float64(other.p99)/float64(q.p99))
	answers.Range(func(status, n any) bool {
		fmt.Printf(" %d: %d", status, n.(*atomic.Int64).Load())
		return true
	})
	fmt.Println()
	return nil
}

// besideABusyProcess is steady with one processor taken by another process.
func (s *scenario) besideABusyProcess(length time.Duration) (sample, error) {
	other := exec.Command("sh", "-c", "while :; do :; done")
	if err := other.Start(); err != nil {
		return sample{}, err
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	return s.steady(length)
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
				body := fmt.Sprintf(`{"username":"stranger%d","password":"wrong password %d"}`, n.Add(1), n.Load())
				resp, err := client.Post(base+"/.truxe/api/v1/login", "application/json", strings.NewReader(body))
				if err != nil {
					return
				}
				resp.Body.Close()
				count, _ := answers.LoadOrStore(resp.StatusCode, new(atomic.Int64))
				count.(*atomic.Int64).Add(1)
				if resp.StatusCode != http.StatusUnauthorized {
					// a flood, but not a busy loop on 503, and not all 50 in step
					time.Sleep(50*time.Millisecond + rand.N(100*time.Millisecond))
				}
			}
		})
	}
	return func() {
		close(done)
		wg.Wait()
	}
}
