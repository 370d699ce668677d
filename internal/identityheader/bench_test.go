package identityheader

import (
	"net/http"
	"testing"
)

func browserHeaders() http.Header {
	h := http.Header{}
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Cookie", "Referer",
		"Sec-Fetch-Dest", "Sec-Fetch-Mode",
		"Sec-Fetch-Site", "Upgrade-Insecure-Requests", "User-Agent", "X-Requested-With"} {
		h[name] = []string{"x"}
	}
	return h
}

// The warm path: no allocation where a client sends nothing of ours, none with a caller's buffer, one without.
func TestWarmPathStaysWithinItsAllocations(t *testing.T) {
	s, v, h := site(t), Render(alice), browserHeaders()
	s.Apply(h, v) // the map has its room now
	var buf Buffer
	keep := http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}}
	for name, c := range map[string]struct {
		most float64
		run  func()
	}{
		"strip":      {0, func() { s.Strip(h) }},
		"connection": {0, func() { SanitizeConnection(keep) }},
	} {
		if n := testing.AllocsPerRun(100, c.run); n > c.most {
			t.Errorf("%s: %v allocations, at most %v", name, n, c.most)
		}
	}
	plain, err := compileAlone(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { plain.ApplyTo(h, v, &buf) }); n > 0 {
		t.Errorf("apply with room: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { plain.Apply(h, v) }); n > 1 {
		t.Errorf("apply: %v allocations", n)
	}
}

func BenchmarkStripNothing(b *testing.B) {
	s, h := site(b), browserHeaders()
	b.ReportAllocs()
	for b.Loop() {
		s.Strip(h)
	}
}

func BenchmarkApply(b *testing.B) {
	s, err := compileAlone(Config{})
	if err != nil {
		b.Fatal(err)
	}
	h, v := browserHeaders(), Render(alice)
	b.ReportAllocs()
	for b.Loop() {
		s.Apply(h, v)
	}
}

func BenchmarkRender(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Render(alice)
	}
}
