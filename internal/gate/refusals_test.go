package gate

import (
	"runtime"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// ED-10 R14 what is remembered of refusals holds on to no request line: method, path, host and readings are parts of one.
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
		kept.keep(Refusal{Judgement: Judgement{set: &policy.Set{}, asked: policy.Request{Host: line[16:24], Method: line[:3], Path: line[4:11], Readings: []string{line[4:15]}}},
			Method: line[:3], Host: line[16:24], Path: line[4:15], Address: line[25:34], Reference: "R-2222-2222"})
	}
	if grown := int64(heap()) - int64(before); grown > 4<<20 {
		t.Errorf("%d refusals keep %d KiB", keptRefusals, grown>>10)
	}
	r, ok := kept.Find("R-2222-2222")
	if !ok || r.Method != "GET" || r.Host != "app.test" || r.Path != "/orders%2F7" || r.Address != "192.0.2.1" || r.asked.Readings[0] != "/orders%2F7" || r.asked.Path != "/orders" {
		t.Errorf("what is left of it is %+v", r)
	}
}
