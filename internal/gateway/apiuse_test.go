package gateway

import "testing"

// ED-24 SE-10: a session that was made at the API counts as used when its token is, and not by a write for each
// request.
func TestAPISessionIsUsedByItsToken(t *testing.T) {
	g := start(t)
	_, bearer := signIn(t, g)
	e, up, s := g.engine, &upstream{}, site(t)
	flush := func() {
		t.Helper()
		if err := e.sessions.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	serve(t, g, s, newRequest("Authorization", bearer), up)
	if n := e.sessions.Waiting(); n != 1 {
		t.Errorf("%d uses wait to be written, want that of the session", n)
	}
	flush()
	for range 1000 {
		serve(t, g, s, newRequest("Authorization", bearer), up)
	}
	if n := e.sessions.Waiting(); n != 0 {
		t.Errorf("%d uses wait after 1,000 requests within a moment", n)
	}
}
