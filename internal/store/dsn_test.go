package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/store"
)

const canary = "QuietCanary"

// fragments of the canary that an error must not show.
func leaks(text string) bool {
	text = strings.ToLower(text)
	word := strings.ToLower(canary)
	for i := 0; i+4 <= len(word); i++ {
		if strings.Contains(text, word[i:i+4]) {
			return true
		}
	}
	return false
}

// FIELD 44 ED-09: a password whose special characters were not encoded is refused before anything is looked up or
// dialled, with what to do, and no part of it is said.
func TestRawPasswordInAConnectionStringIsRefusedUnseen(t *testing.T) {
	for _, password := range []string{"Quiet@Canary", "Quiet/Canary", "Quiet#Canary", "Quiet?Canary", "Quiet Canary",
		"Quiet%Canary", "p@Quiet/Can#ary?x",
		"Quiet[Canary", `Quiet\Canary`, "Quiet\nCanary", "Quiet\"Canary", "Quiet<Canary>", "{QuietCanary}", "QuiétCanary",
		"@QuietCanary", "QuietCanary@", "//QuietCanary", "Quiet=@Canary&Quiet"} {
		_, err := store.ParseDSN("postgres://app:" + password + "@127.0.0.1/shop")
		if err == nil || leaks(err.Error()) || !strings.Contains(err.Error(), "%40") &&
			!strings.Contains(err.Error(), "control") {
			t.Errorf("%q: %v", password, err)
		}
	}
	for _, text := range []string{"postgres://QuietCanary:x/shop", "postgres://h/a/QuietCanary",
		"postgres://h:QuietCanary/d", "postgres://h/d?QuietCanary=1", "postgres://h/d?sslmode=QuietCanary",
		"postgres://h/d?sslrootcert=/QuietCanary", "postgres://h/d?connect_timeout=QuietCanary",
		"postgres://h/d?target_session_attrs=QuietCanary", "postgres://h/d?host=Quiet%20Canary",
		"postgres://h/d?password=Quiet;Canary", "mysql://app:QuietCanary@h/d", "QuietCanary", "host=h password=Quiet Canary",
		"host=h password=a Quiet=Canary",
		"host=h password='QuietCanary", "host=h password=QuietCanary\\", "host=QuietCanary@h", "host=h port=QuietCanary",
		"password=QuietCanary=", "password=QuietCanary host"} {
		_, err := store.ParseDSN(text)
		if strings.HasPrefix(text, "password=QuietCanary=") {
			if err != nil {
				t.Errorf("control: %v", err) // a value may contain =
			}
			continue
		}
		if err == nil || leaks(err.Error()) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FIELD 44: percent-encoded, every character is a password's.
func TestEncodedPasswordIsReadAsItWas(t *testing.T) {
	pg, err := store.ParseDSN("postgres://app:p%40ss%2Fw%23rd%3Fx%25%20%5B%5C@db.example.com:6432/shop?sslmode=disable&application_name=a")
	if err != nil || pg.Password != `p@ss/w#rd?x% [\` || pg.Host != "db.example.com" || pg.Port != 6432 ||
		pg.Database != "shop" || pg.User != "app" {
		t.Errorf("%v %+v", err, pg)
	}
	for text, host := range map[string]string{
		"postgresql://u@[::1]:5432/d": "::1", "postgres://u@db1,db2:5433/d": "db1",
		"postgres:///d?host=/run/postgresql": "/run/postgresql",
		"host=/run/postgresql user=u":        "/run/postgresql", `host = db user='a b' password='it\'s = fine'`: "db",
		"postgres://u@db.example.com": "db.example.com",
	} {
		if pg, err := store.ParseDSN(text); err != nil || pg.Host != host {
			t.Errorf("%s: %v %v", text, err, pg)
		}
	}
}

// ED-10 files that a connection string or the environment names are regular and bounded, and the error names them.
func TestFilesOfAConnectionStringAreBounded(t *testing.T) {
	dir := t.TempDir()
	big, small := filepath.Join(dir, "big"), filepath.Join(dir, "small")
	must(t, os.WriteFile(small, nil, 0o600))
	must(t, os.WriteFile(big, nil, 0o600))
	must(t, os.Truncate(big, 1<<30))
	for _, name := range []string{"sslrootcert", "sslcert", "sslkey", "passfile", "servicefile"} {
		for _, file := range []string{dir, "/dev/zero", big} {
			for _, dsn := range []string{"postgres://u@h/d?" + name + "=" + file, "host=h " + name + "=" + file} {
				if _, err := store.ParseDSN(dsn); err == nil || !strings.Contains(err.Error(), file) ||
					!strings.Contains(err.Error(), name) {
					t.Errorf("%s: %v", dsn, err)
				}
			}
			variable := "PG" + strings.ToUpper(name)
			t.Setenv(variable, file)
			if _, err := store.ParseDSN("postgres://u@h/d"); err == nil || !strings.Contains(err.Error(), file) ||
				!strings.Contains(err.Error(), variable) {
				t.Errorf("%s: %v", variable, err)
			}
			t.Setenv(variable, "")
		}
	}
	for _, dsn := range []string{"postgres://u@h/d?passfile=" + small, "postgres://u@h/d?passfile=/dev/null",
		"postgres://u@h/d?passfile=/missing/file", "postgres://u@h/d?servicefile=" + small} {
		if _, err := store.ParseDSN(dsn); err != nil {
			t.Errorf("control: %s: %v", dsn, err)
		}
	}
}

// A connection string from outside is read without a panic, and no error repeats a part of it.
func FuzzParseDSN(f *testing.F) {
	for _, seed := range []string{"postgres://app:p@ss/w#rd?x@h/d", "host=h password='a b'",
		"postgres://u@[::1]:5432/d?sslmode=disable", "\\", "postgres://,:@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pg, err := store.ParseDSN(text)
		if err == nil && (strings.ContainsAny(pg.Host, "#?%") ||
			!strings.HasPrefix(pg.Host, "@") && !strings.HasPrefix(pg.Host, "/") && strings.Contains(pg.Host, "@")) {
			t.Errorf("%q leads to the host %q", text, pg.Host)
		}
	})
}
