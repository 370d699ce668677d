package mail

import (
	"fmt"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/loopback"
)

const sender = "Example <no-reply@example.com>"

// OP-01 AU-07: which URLs are a mail server, whether its mails are encrypted, and that no error and no way to print the
// settings repeats the password.
func TestWhatAMailServerIs(t *testing.T) {
	for raw, want := range map[string]string{
		"smtp://mail.example.com":                         "mail.example.com:587 starttls",
		"smtp://user:p%40ss@mail.example.com:25":          "mail.example.com:25 starttls user p@ss",
		"smtps://user:pa:ss@mail.example.com":             "mail.example.com:465 tls user pa:ss",
		"SMTP://127.0.0.1":                                "127.0.0.1:587 plain",
		"smtp://localhost:25":                             "localhost:25 plain",
		"smtp://[::1]:25":                                 "[::1]:25 plain",
		"smtp://127.0.0.1?tls=true":                       "127.0.0.1:587 starttls",
		"smtp://127.0.0.1?server_name=mail.example.com":   "127.0.0.1:587 starttls",
		"smtps://127.0.0.1":                               "127.0.0.1:465 tls",
		"smtp://localhost.example.com":                    "localhost.example.com:587 starttls",
		"smtp://10.0.0.1":                                 "10.0.0.1:587 starttls",
		"smtp://u:p@ss@mail.example.com":                  "mail.example.com:587 starttls u p@ss",
		"http://mail.example.com":                         "",
		"mail.example.com:587":                            "",
		"smtp://":                                         "",
		"smtp://user:hunter2@":                            "",
		"smtp://user@mail.example.com":                    "",
		"smtp://:hunter2@mail.example.com":                "",
		"smtp://user:hunter2%zz@mail.example.com":         "",
		"smtp://user:hunter2%0d%0a@mail.example.com":      "",
		"smtp://user:hunter2@mail.example.com:0":          "",
		"smtp://user:hunter2@mail.example.com:70000":      "",
		"smtp://user:hunter2@a:b:c":                       "",
		"smtp://user:hunter2@mail example.com":            "",
		"smtp://user:hunter2@mail.example.com/path":       "",
		"smtp://user:hun/ter2@mail.example.com":           "",
		"smtp://user:hun?ter2@mail.example.com":           "",
		"smtp://user:hun#ter2@mail.example.com":           "",
		"smtp://user:hunter2@mail.example.com?tls=false":  "",
		"smtp://user:hunter2@mail.example.com?tls=skip":   "",
		"smtp://user:hunter2@mail.example.com?insecure=1": "",
		"smtp://mail.example.com?ca_file=/no/such/file":   "",
		"smtp://" + strings.Repeat("a", maxURL):           "",
	} {
		s, err := Parse(raw, sender)
		if want == "" {
			if err == nil {
				t.Errorf("%s is taken", raw)
			} else if strings.Contains(err.Error(), "hun") || strings.Contains(err.Error(), "ter2") {
				t.Errorf("%s: the error repeats the password: %v", raw, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		got := s.Addr() + " plain"
		if s.tls != nil {
			got = s.Addr() + " starttls"
		}
		if s.implicit {
			got = s.Addr() + " tls"
		}
		if s.username != "" {
			got += " " + s.username + " " + s.password
		}
		if got != want || s.tls != nil && (s.tls.InsecureSkipVerify || s.tls.ServerName == "") {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
		if printed := fmt.Sprintf("%v %+v %#v %s %v", s, s, s, s, s.LogValue()); s.password != "" &&
			strings.Contains(printed, s.password) {
			t.Errorf("printed: %s", printed)
		}
	}
}

// CS-11 the sender is one address, without anything that would become a header of its own.
func TestWhoASenderIs(t *testing.T) {
	for from, ok := range map[string]bool{
		sender: true, "no-reply@example.com": true, "Ünïcode <no-reply@example.com>": true,
		`"A, B" <no-reply@example.com>`: true,
		"":                              false, "Example": false, "a@b@c": false, "a@example.com, b@example.com": false,
		"A <a@example.com>\r\nBcc: b@example.com":     false,
		"\"A\r\nBcc: b@example.com\" <a@example.com>": false, "\u202eA <a@example.com>": false,
		"=?utf-8?q?A=0D=0ABcc:_b?= <a@example.com>": false,
		strings.Repeat("a", 2000) + "@example.com":  false, `"a b"@example.com`: false,
	} {
		_, err := Parse("smtp://127.0.0.1", from)
		if (err == nil) != ok {
			t.Errorf("%q: %v", from, err)
		}
	}
}

// AU-07 CS-11 whatever stands for a URL or a sender is settings or an error, never a panic, and what is taken has no
// line end in it and is verified.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{"smtp://user:pass@host:587", "smtps://[::1]?tls=true",
		"smtp://u:p@h?ca_file=x&server_name=y", "smtp://@:0", "://"} {
		f.Add(s, sender, "pia@example.com")
	}
	f.Add("smtp://127.0.0.1", "\"A\r\n\" <a@b>", "a@b\r\nBcc: c@d")
	f.Fuzz(func(t *testing.T, raw, from, to string) {
		if strings.Contains(raw, "ca_file") { // a file name from outside is the operator's
			raw = strings.ReplaceAll(raw, "ca_file", "ca_fil")
		}
		if s, err := Parse(raw, from); err == nil {
			if s.tls == nil && !loopback.Host(s.host) || s.tls != nil && s.tls.InsecureSkipVerify {
				t.Errorf("%q goes unprotected", raw)
			}
			if strings.ContainsAny(s.host+s.port+s.username+s.password+s.from.String(), "\r\n") {
				t.Errorf("%q %q: a line end", raw, from)
			}
		}
		if a, err := address(to); err == nil && (strings.ContainsAny(a, "\r\n <>,") || strings.Count(a, "@") != 1) {
			t.Errorf("%q is an address", a)
		}
	})
}
