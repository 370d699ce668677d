// Command bench compares, in one run on one upstream, plain reverse_proxy, the gateway (session cookie, cached bearer
// token, cold bearer token) and forward_auth to a trivial server. Rounds are interleaved and each figure is the median
// of its rounds, so that a noisy machine is noisy for all alike. CPU per request, from the operating system's
// accounting of the process, is the steadiest figure.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

func main() {
	log.SetFlags(0)
	caddy := flag.String("caddy", "bin/caddy", "the binary to measure")
	rounds := flag.Int("rounds", 7, "interleaved rounds; 0 measures the flood of sign-ins only")
	length := flag.Duration("length", 2*time.Second, "length of one round of one scenario")
	workers := flag.Int("workers", 64, "connections that send requests without a pause")
	flag.Parse()
	if err := run(*caddy, *rounds, *length, *workers); err != nil {
		log.Fatal(err)
	}
}

func run(binary string, rounds int, length time.Duration, workers int) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "truxe-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	up, err := startUpstream()
	if err != nil {
		return err
	}
	defer up.close()
	scenarios, stop, err := start(binary, dir, up)
	defer stop()
	if err != nil {
		return err
	}
	samples := map[string][]sample{}
	for round := range rounds + 1 {
		for _, s := range scenarios {
			if err := s.prepare(workers, length); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			got, err := s.measure(workers, length)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if round > 0 { // the first warms connections and caches
				samples[s.name] = append(samples[s.name], got)
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round, rounds)
	}
	if rounds > 0 {
		report(scenarios, samples)
	}
	for _, s := range scenarios {
		if s.name == "cookie" {
			return flood(s, 5, 2*length)
		}
	}
	return nil
}

// sample is one round of one scenario.
type sample struct {
	perSecond float64
	p50, p99  time.Duration
	allocs    float64 // heap objects per request, whole process
	cpu       time.Duration
}

func report(scenarios []*scenario, samples map[string][]sample) {
	plain := summary(samples["plain"])
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "scenario\treq/s\tof plain\tp50\tp99\tallocs\tCPU/req\tover plain\t")
	for _, s := range scenarios {
		m := summary(samples[s.name])
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%s\t%s\t%.0f\t%.1f µs\t%+.1f µs\t\n", s.name, m.perSecond,
			m.perSecond/plain.perSecond,
			m.p50.Round(time.Microsecond), m.p99.Round(time.Microsecond), m.allocs, micros(m.cpu), micros(m.cpu-plain.cpu))
	}
	_ = w.Flush()
	fa := summary(samples["forward_auth"])
	cookie := summary(samples["cookie"])
	fmt.Printf("\ncookie against forward_auth to a trivial server: %.2f times the requests per second\n",
		cookie.perSecond/fa.perSecond)
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// summary takes the median of each figure by itself.
func summary(list []sample) sample {
	return sample{
		perSecond: median(list, func(s sample) float64 { return s.perSecond }),
		p50:       time.Duration(median(list, func(s sample) float64 { return float64(s.p50) })),
		p99:       time.Duration(median(list, func(s sample) float64 { return float64(s.p99) })),
		allocs:    median(list, func(s sample) float64 { return s.allocs }),
		cpu:       time.Duration(median(list, func(s sample) float64 { return float64(s.cpu) })),
	}
}

func median(list []sample, of func(sample) float64) float64 {
	values := make([]float64, len(list))
	for i, s := range list {
		values[i] = of(s)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 1 {
		return values[n/2]
	} else if n > 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return 0
}
