package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// load is what a closed loop of connections saw.
type load struct {
	requests  int
	elapsed   time.Duration
	latencies []time.Duration // sorted
}

// errSpent ends a loop early: the scenario has no more requests.
var errSpent = errors.New("no more requests")

// saturate sends requests over a fixed number of connections without a pause. The client spends a few microseconds a
// request: it shares the processors with the servers, and a heavy one would hide the difference between them.
func saturate(s *scenario, workers int, length time.Duration) (load, error) {
	client := &fasthttp.HostClient{Addr: s.addr(), MaxConns: workers, NoDefaultUserAgentHeader: true,
		ReadTimeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	var stop atomic.Bool
	time.AfterFunc(length, func() { stop.Store(true) })
	seen := make([][]time.Duration, workers)
	failed := make([]error, workers)
	started := time.Now()
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			seen[i], failed[i] = s.loop(client, &stop)
			if failed[i] != nil {
				stop.Store(true)
			}
		})
	}
	wg.Wait()
	l := load{elapsed: time.Since(started)}
	for _, part := range seen {
		l.latencies = append(l.latencies, part...)
	}
	slices.Sort(l.latencies)
	l.requests = len(l.latencies)
	for _, err := range failed {
		if err != nil && !errors.Is(err, errSpent) {
			return l, err
		}
	}
	if l.requests == 0 {
		return l, errors.New("no request was answered")
	}
	return l, nil
}

// loop is one connection.
func (s *scenario) loop(client *fasthttp.HostClient, stop *atomic.Bool) ([]time.Duration, error) {
	var seen []time.Duration
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	for !stop.Load() {
		headers := s.headers()
		if headers == nil {
			return seen, errSpent
		}
		req.Reset()
		req.SetRequestURI(s.url)
		for name, values := range headers {
			req.Header.Set(name, values[0])
		}
		before := time.Now()
		if err := client.Do(req, resp); err != nil {
			return seen, err
		}
		seen = append(seen, time.Since(before))
		if resp.StatusCode() != http.StatusOK {
			return seen, fmt.Errorf("status %d: %s", resp.StatusCode(), resp.Body())
		}
	}
	return seen, nil
}

// quantile of sorted latencies.
func (l load) quantile(q float64) time.Duration {
	return l.latencies[min(len(l.latencies)-1, int(q*float64(len(l.latencies))))]
}
