package test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// MF-02 R5 CVE-2021-45331: on two nodes with one PostgreSQL and one Redis a code works once: replayed on the same and
// on the other node, and raced on both. A half sign-in goes on at the other node.
func TestCodeWorksOnceOnAllNodes(t *testing.T) {
	n := twoNodes(t, "\n\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m")
	f := n.one.withTOTP("app.test", "frieda")
	there := *f
	there.s = n.two
	there.complete(f.begin(), "totp", f.code()).want(http.StatusOK)
	used := f.codeAt(f.last)
	f.complete(f.begin(), "totp", used).problem(http.StatusUnauthorized, "invalid_code")
	there.complete(there.begin(), "totp", used).problem(http.StatusUnauthorized, "invalid_code")

	code, halves := f.code(), []half{f.begin(), there.begin(), f.begin(), there.begin()}
	won := race(t, []*story{n.one, n.two}, 50, func(i int) string {
		return fmt.Sprintf(`{"mfa_token":%q,"method":"totp","code":%q}`, halves[i%len(halves)].Token, code)
	})
	if won != 1 {
		t.Errorf("a code was taken %d times", won)
	}
	recovery := f.rescue()
	halves = []half{f.begin(), there.begin(), f.begin(), there.begin()}
	won = race(t, []*story{n.one, n.two}, 20, func(i int) string {
		return fmt.Sprintf(`{"mfa_token":%q,"method":"recovery_code","code":%q}`, halves[i%len(halves)].Token, recovery)
	})
	if won != 1 {
		t.Errorf("a recovery code was taken %d times", won)
	}
}

// race sends as many second steps at once and says how many signed in.
func race(t *testing.T, nodes []*story, n int, body func(int) string) int {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range n {
		wg.Go(func() {
			v := nodes[i%len(nodes)].bare("app.test")
			a, err := v.comeAgain("POST", "/.truxe/api/v1/login/mfa", body(i), sendsJSON)
			if err != nil || a.status >= 500 {
				t.Errorf("%d %v %s", a.status, err, a.body)
			}
			mu.Lock()
			defer mu.Unlock()
			if a.status == http.StatusOK {
				won++
			}
		})
	}
	wg.Wait()
	return won
}
