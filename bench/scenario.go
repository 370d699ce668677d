package main

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// scenario is one way to reach the upstream.
type scenario struct {
	name    string
	url     string
	server  *server
	headers func() http.Header // for each request
	// ready creates what the next round needs, outside the measurement.
	ready func(requests int) error
	last  float64 // requests per second of the round before
}

func (s *scenario) prepare(_ int, length time.Duration) error {
	if s.ready == nil {
		return nil
	}
	return s.ready(int(max(s.last, 500)*length.Seconds()*1.5) + 100)
}

// measure sends requests as fast as the workers can for a while.
func (s *scenario) measure(workers int, length time.Duration) (sample, error) {
	before, err := s.server.usage()
	if err != nil {
		return sample{}, err
	}
	l, err := saturate(s, workers, length)
	if err != nil {
		return sample{}, err
	}
	after, err := s.server.usage()
	if err != nil {
		return sample{}, err
	}
	n := float64(l.requests)
	s.last = n / l.elapsed.Seconds()
	return sample{perSecond: s.last, p50: l.quantile(0.50), p99: l.quantile(0.99),
		allocs: (after.mallocs - before.mallocs) / n,
		cpu:    time.Duration(float64(after.cpu-before.cpu) / n)}, nil
}

// addr is the server's host and port.
func (s *scenario) addr() string { return s.server.addr }

// usage is what a process has used so far.
type usage struct {
	cpu     time.Duration
	mallocs float64
}

// usage reads the kernel's accounting (user and system time in ticks of 10 ms) and the runtime's allocation count.
func (s *server) usage() (usage, error) {
	var u usage
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/stat")
	if err != nil {
		return u, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, err
		}
		ticks += n
	}
	u.cpu = time.Duration(ticks) * 10 * time.Millisecond
	resp, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		return u, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "go_memstats_mallocs_total "); ok {
			u.mallocs, err = strconv.ParseFloat(value, 64)
		}
	}
	return u, errors.Join(err, lines.Err())
}

// ring hands out one value after the other and nothing when all are used.
type ring struct {
	values []http.Header
	next   atomic.Int64
}

func (r *ring) take() http.Header {
	i := r.next.Add(1) - 1
	if int(i) >= len(r.values) {
		return nil
	}
	return r.values[i]
}
