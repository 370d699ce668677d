package test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/fcgi"
	"testing"
)

// FIELD-CASES 41, ED-31: FastCGI's REMOTE_USER is the user name with the line that docs/reference/headers.md shows, and
// the id without it; for an anonymous request it is empty, whatever a client sends.
func TestRemoteUserOfFastCGIIsTheUserName(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s|%s", fcgi.ProcessEnv(r)["REMOTE_USER"], r.Header.Get("Remote-User"))
		}))
	}()
	body := "\ttruxe {\n\t\tpublic /open/*\n\t}\n\treverse_proxy " + l.Addr().String() +
		" {\n\t\ttransport fastcgi {\n\t\t\troot /srv\n%s\t\t}\n\t}"
	s := tell(t, plot{sites: site("named.test", fmt.Sprintf(body, "\t\t\tenv REMOTE_USER {http.auth.user.name}\n")) +
		site("plain.test", fmt.Sprintf(body, ""))})
	for host, want := range map[string]string{"named.test": "pia|pia", "plain.test": ""} {
		pia := s.browser(host)
		pia.signIn("pia", piaPassword)
		id := ""
		if want == "" {
			var who struct{ Sub string }
			pia.get("/.truxe/api/v1/userinfo", fetch).want(http.StatusOK).json(&who)
			id = who.Sub
			want = id + "|pia"
		}
		if got := pia.get("/x.php", program).want(http.StatusOK).body; got != want {
			t.Errorf("%s: REMOTE_USER and HTTP_REMOTE_USER are %q, want %q", host, got, want)
		}
		if got := s.bare(host).get("/open/x.php", program, []string{"Remote-User",
			"root"}).want(http.StatusOK).body; got != "|" {
			t.Errorf("%s: for an anonymous request they are %q", host, got)
		}
	}
}
