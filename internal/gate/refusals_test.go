package gate

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// ED-10 R14 what is remembered of refusals holds on to no request line: method, path, host and readings are parts of
// one.
func TestRememberedRefusalsKeepNoRequestLine(t *testing.T) {
	var kept Refusals
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for range keptRefusals {
		line := "GET /orders%2F7 app.test 192.0.2.1 " + strings.Repeat("x", 16<<10)
		kept.keep(Refusal{Judgement: Judgement{set: &policy.Set{}, asked: policy.Request{Host: line[16:24], Method: line[:3],
			Path: line[4:11], Readings: []string{line[4:15]}}},
			Method: line[:3], Host: line[16:24], Path: line[4:15], Address: line[25:34], Reference: "R-2222-2222"})
	}
	if grown := int64(heap()) - int64(before); grown > 4<<20 {
		t.Errorf("%d refusals keep %d KiB", keptRefusals, grown>>10)
	}
	r, ok := kept.Find("R-2222-2222")
	if !ok || r.Method != "GET" || r.Host != "app.test" || r.Path != "/orders%2F7" || r.Address != "192.0.2.1" ||
		r.asked.Readings[0] != "/orders%2F7" || r.asked.Path != "/orders" {
		t.Errorf("what is left of it is %+v", r)
	}
}

func at(path string) policy.Request {
	return policy.Request{Host: "app.test", Method: "GET", Path: path, Now: time.Now()}
}

// What is remembered of refusals is bounded, whoever fills it and with whatever paths.
func TestRememberedRefusalsAreBounded(t *testing.T) {
	var k Refusals
	for range keptRefusals + 10 {
		k.keep(Refusal{Reference: identity.NewReference(), Path: strings.Repeat("x", 5000),
			Judgement: Judgement{asked: at("/" + strings.Repeat("x", 5000))}})
	}
	// A short path may have long readings, and a request line a long method.
	for range keptRefusals {
		q := at("/x")
		for range 32 {
			q.Readings = append(q.Readings, strings.Repeat("%2541", 1000))
		}
		k.keep(Refusal{Reference: identity.NewReference(), Path: "/x", Host: strings.Repeat("h", 5000),
			Method: strings.Repeat("M", 5000), Judgement: Judgement{set: &policy.Set{}, asked: q}})
	}
	size := 0
	for i := range k.ring {
		r := &k.ring[i]
		size += len(r.Path) + len(r.Host) + len(r.Method) + len(r.asked.Path) + len(strings.Join(r.asked.Readings, ""))
	}
	if size > keptRefusals*(3*keptPath+keptText) {
		t.Errorf("%d bytes are kept", size)
	}
	last := Refusal{Reference: "R-LAST-LAST", Path: "/x", Judgement: Judgement{set: &policy.Set{}, asked: at("/x")}}
	k.keep(last)
	if len(k.ring) != keptRefusals {
		t.Errorf("%d are kept", len(k.ring))
	}
	for i := range k.ring {
		if len(k.ring[i].Path) > keptPath || len(k.ring[i].asked.Path) > keptPath {
			t.Fatal("a long path is kept")
		}
	}
	if got, ok := k.Find("R-LAST-LAST"); !ok || got.Path != "/x" {
		t.Error("the last one is not found")
	}
	if _, ok := k.Find("R-NONE-NONE"); ok {
		t.Error("found what is not there")
	}
}
