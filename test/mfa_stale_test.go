package test

import (
	"database/sql"
	"path/filepath"
	"strconv"

	_ "modernc.org/sqlite" // the gateway's own driver
)

// stale ages every proof of a user's sessions by six minutes in the gateway's own database, while it is down: no test
// waits for the five minutes of MF-13. The sessions themselves go on.
func (s *story) stale(name string) {
	s.t.Helper()
	s.g.Stop()
	db, err := sql.Open("sqlite", filepath.Join(s.g.DataDir(), "truxe", "truxe.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	query := "UPDATE sessions SET auth_time = auth_time - 360000"
	for _, column := range []string{"mfa_time", "passkey_time"} {
		query += ", " + column + " = CASE WHEN " + column + " > 0 THEN " + column + " - 360000 ELSE 0 END"
	}
	done, err := db.Exec(query+" WHERE user_id = (SELECT id FROM users WHERE username = ?)", name)
	if err != nil {
		s.t.Fatal(err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		s.t.Fatalf("%d sessions of %s were made older: %v", n, name, err)
	}
	s.g.Start()
}

// origin is what a browser says of a host's pages.
func (s *story) origin(host string) string {
	return "https://" + host + ":" + strconv.Itoa(s.g.Port("https"))
}
