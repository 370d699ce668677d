package cluster

import (
	"fmt"
	"strings"
	"testing"
)

func TestRedisURLsAreRead(t *testing.T) {
	for raw, want := range map[string]string{
		"redis://127.0.0.1:6379/0":                                    "single [127.0.0.1:6379] 0  false  ",
		"redis://localhost":                                           "single [localhost:6379] 0  false  ",
		"redis://:p%40ss%2F@db.example.com/3":                         "single [db.example.com:6379] 3  false  p@ss/",
		"rediss://me:secret@[2001:db8::1]:7000":                       "single [[2001:db8::1]:7000] 0  true me secret",
		"redis+unix:///run/redis.sock":                                "single [/run/redis.sock] 0  false  ",
		"redis+unix://me:s%2F@/run/r.sock?db=2":                       "single [/run/r.sock] 2  false me s/",
		"rediss://[::1]":                                              "single [[::1]:6379] 0  true  ",
		"redis+sentinel://me:s@a,b:1,[::1]:2/main/4?tls=true":         "sentinel [a:26379 b:1 [::1]:2] 4 main true me s",
		"redis+cluster://a:1,b:2?tls=true&server_name=redis.internal": "cluster [a:1 b:2] 0  true  ",
		"REDISS://h":         "single [h:6379] 0  true  ",
		"rediss+cluster://h": "cluster [h:6379] 0  true  ",
	} {
		o, err := ParseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		got := fmt.Sprint(o.Mode, " ", o.Addrs, " ", o.DB, " ", o.Master, " ", o.TLS != nil, " ", o.username, " ", o.password)
		if got != want {
			t.Errorf("%s\n got %q\nwant %q", raw, got, want)
		}
		if o.TLS != nil && (o.TLS.InsecureSkipVerify || o.TLS.MinVersion < 0x0303) {
			t.Errorf("%s: TLS is not verified", raw)
		}
	}
}

func TestRedisURLErrorsAreClearAndSilentAboutPasswords(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                     "must begin with",
		"localhost:6379":                       "must begin with",
		"http://hunter2@h":                     "unknown scheme",
		"hunter2://h":                          "unknown scheme",
		"redis://":                             "no host",
		"redis://u:hunter2@":                   "no host",
		"redis://u:hunter2#x@h":                "%23",
		"redis://u:hunter2/x@h":                "%2F",
		"redis://u:hunter2?x@h":                "%3F",
		"redis://u:hunter2%zz@h":               "percent-encoded",
		"redis://hunter2@h":                    "without a password",
		"redis://h:hunter2":                    "port",
		"redis://h:0":                          "port",
		"redis://h:65536":                      "port",
		"redis://::1:6379":                     "brackets",
		"redis://h/hunter2":                    "database number",
		"redis://h/-1":                         "database number",
		"redis://h?hunter2":                    "with a value",
		"redis+unix://":                        "path of a socket",
		"redis+unix://hunter2/run/r.sock":      "after its user",
		"redis+unix:///run/hunter2@r.sock":     "path of a socket",
		"redis+unix:///run/r.sock?hunter2=1":   "one parameter",
		"redis+unix:///run/r.sock?db=hunter2":  "database number",
		"redis://a,b":                          "one host",
		"redis://a b":                          "characters",
		"redis+sentinel://h":                   "master's name",
		"redis+cluster://h/1":                  "no database",
		"redis://h?hunter2=1":                  "unknown parameter",
		"rediss://h?skip_verify=true":          "unknown parameter",
		"rediss://h?tls=false":                 "tls",
		"redis://h?server_name=x":              "without TLS",
		"rediss://h?ca_file=/does/not/exist":   "ca_file",
		"redis://h?sentinel_password=hunter2":  "redis+sentinel",
		"rediss://h?server_name=":              "with a value",
		"redis://" + strings.Repeat("h", 5000): "too long",
		"redis+cluster://" + strings.Repeat("h,", 64) + "h": "64 hosts",
	} {
		_, err := ParseURL(raw)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: want %q, got %v", raw, want, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats it: %v", raw, err)
		}
	}
}

// OP-01 plain text off loopback is warned of.
func TestPlainTextOffLoopbackIsWarnedOf(t *testing.T) {
	for raw, want := range map[string]int{
		"redis://127.0.0.1": 0, "redis://[::1]": 0, "redis://localhost": 0, "redis://127.9.9.9:1": 0,
		"redis://[::ffff:127.0.0.1]": 0,
		"redis://10.0.0.1":           1, "redis://db.example.com": 1, "redis://localhost.example.com": 1,
		"redis://[fe80::1]":       1,
		"rediss://db.example.com": 0, "redis+cluster://127.0.0.1,10.0.0.1,10.0.0.2": 2,
		"redis+sentinel://10.0.0.1/m?tls=true": 0,
	} {
		o, err := ParseURL(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.Warnings(); len(got) != want {
			t.Errorf("%s: %q", raw, got)
		}
	}
}

// OP-02 a prefix that an ACL pattern or hash tag would read differently is refused.
func TestPrefixIsPlain(t *testing.T) {
	for prefix, ok := range map[string]bool{"truxe:": true, "a/b-c_d.e:": true, "": false, "tr*": false, "{x}": false,
		"a b": false,
		"é":   false, "[a]": false, strings.Repeat("x", 65): false} {
		if err := CheckPrefix(prefix); (err == nil) != ok {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func FuzzParseRedisURL(f *testing.F) {
	for _, s := range []string{"redis://u:hunter2@h:1/2", "rediss://[::1]:1", "redis+sentinel://:p@a,b/m/1?tls=1",
		"redis+cluster://a:1,b?tls=true",
		"redis://%zz@h", "redis://h?x=%", "redis://u:hunter2/@h", "redis://@", "redis://:@,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if strings.Contains(raw, "ca_file") {
			return // reads files
		}
		o, err := ParseURL(raw)
		if err != nil {
			if len(err.Error()) > 300 {
				t.Errorf("endless error: %q", err)
			}
			return
		}
		if len(o.Addrs) == 0 || (o.Mode == ModeSentinel) != (o.Master != "") || (o.Mode == ModeSingle && len(o.Addrs) != 1) {
			t.Errorf("%q gives %+v", raw, *o)
		}
		if o.TLS != nil && o.TLS.InsecureSkipVerify {
			t.Error("unverified TLS")
		}
		for _, a := range o.Addrs {
			if _, err := parseAddr(a, ""); err != nil {
				t.Errorf("%q gives the address %q: %v", raw, a, err)
			}
		}
		o.Warnings()
	})
}

func FuzzParseEvent(f *testing.F) {
	f.Add("jti", "x", "1", "2", "n")
	f.Add("keys", "", "-1", "0", "")
	f.Add("user", "x", "", "9223372036854775808", "")
	f.Fuzz(func(t *testing.T, kind, name, at, expires, node string) {
		e, err := parseEvent(map[string]any{"kind": kind, "name": name, "at": at, "expires": expires, "node": node})
		if err != nil {
			return
		}
		back := map[string]any{}
		fields := e.fields()
		for i := 0; i < len(fields); i += 2 {
			back[fields[i].(string)] = fields[i+1]
		}
		if again, err := parseEvent(back); err != nil || again != e {
			t.Errorf("%+v came back as %+v, %v", e, again, err)
		}
	})
}
