package policy

import (
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// costly are pieces of paths that have many readings, or long ones.
var costly = []string{"a.;b%3fc%23d%255c//", "%20", "%25", "%2525", "a. ", ";", ";a", "//", "/./", "/", "%5c", `\`,
	"%3b", "%3f", "%23", "%2f", "é", "%c3%a9", "x", ".", "..", "%2541", "aaaaaaaaaaaaaaaa", "a.", "%20/", "./", "+", "%2F"}

// costlyPath returns a path of about n bytes: a head of a few pieces, and one piece over and over.
func costlyPath(random *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString("/")
	for range random.IntN(6) {
		b.WriteString(costly[random.IntN(len(costly))])
	}
	end := ""
	for range random.IntN(6) {
		end += costly[random.IntN(len(costly))]
	}
	for body := costly[random.IntN(len(costly))] + costly[random.IntN(len(costly))]; b.Len()+len(end) < n; {
		b.WriteString(body)
	}
	return b.String() + end
}

// worstPaths are the paths that cost most of many, found by search: those that were read in bytes copied, and some by
// hand.
func worstPaths(t testing.TB) []*http.Request {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	var all []*http.Request
	add := func(target string) {
		if r, ok := request(t, target); ok {
			all = append(all, r)
		}
	}
	for _, n := range []int{256, 300, 350, 400, 500, 700, 1000, 1024, 1400, 2000, 2048, 2700, 4000, 4096, 8000, 8192,
		16000} {
		for range 300 {
			add(costlyPath(random, n))
		}
		for _, body := range costly {
			add("/" + strings.Repeat(body, n/len(body)+1)[:n-1])
		}
	}
	return all
}

// bytesFor measures what reading one path allocates.
func bytesFor(r *http.Request) uint64 {
	var before, after runtime.MemStats
	const runs = 4
	runtime.ReadMemStats(&before)
	for range runs {
		_, _ = Canonical(r)
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}

// ED-10 R14 reading a stranger's path takes at most 16 KiB, whatever it is. (BenchmarkWorstPath measures the time.)
func TestNoPathCostsMoreThan16KiB(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // other goroutines would be measured too
	for _, r := range worstPaths(t) {
		_, _ = Canonical(r)                                       // room that is used again is made once
		if n := bytesFor(r); n > 16<<10 && bytesFor(r) > 16<<10 { // a garbage collection between may have taken that room
			t.Fatalf("%d bytes of memory for %d bytes of path: %.80s", n, len(r.RequestURI), r.RequestURI)
		}
	}
}

// BenchmarkWorstPath is the most expensive path of worstPaths (goal: at most 100 µs and 16 KiB for any path).
func BenchmarkWorstPath(b *testing.B) {
	var worst *http.Request
	most := time.Duration(0)
	for _, r := range worstPaths(b) {
		took := time.Hour
		for range 5 {
			began := time.Now()
			_, _ = Canonical(r)
			took = min(took, time.Since(began))
		}
		if took > most {
			worst, most = r, took
		}
	}
	b.Logf("%d bytes: %.60s", len(worst.RequestURI), worst.RequestURI)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Canonical(worst)
	}
}
