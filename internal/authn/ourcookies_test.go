package authn

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// SE-04 SE-05: our cookies stay on their host and out of scripts, and the browser takes their prefix.
func TestOurCookiesKeepToTheirHost(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := http.Header{}
	AddCookie(h, FlowCookie, "v", 0)
	AddCookie(h, DeviceCookie, "v", 90*time.Second)
	ClearCookie(h, SessionCookie)
	AddSessionCookie(h, "v", true, now.Add(time.Hour+time.Millisecond), now)
	AddSessionCookie(h, "v", false, now.Add(time.Hour), now)
	ages := []int{0, 90, -1, 3601, 0}
	for i, line := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil || !strings.HasPrefix(c.Name, CookiePrefix) || !c.Secure || !c.HttpOnly || c.Path != "/" ||
			c.Domain != "" ||
			c.SameSite != http.SameSiteLaxMode || c.MaxAge != ages[i] {
			t.Errorf("%s: %v", line, err)
		}
		if (c.Value == "") != (c.MaxAge < 0) {
			t.Errorf("%s has the value %q", line, c.Value)
		}
	}
}
