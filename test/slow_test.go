package test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/timebound"
)

var slowSites = share(plot{
	global: "\tservers {\n\t\ttimeouts {\n\t\t\tread_header 3s\n\t\t}\n\t}",
	sites:  site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
})

// slowly opens a connection and writes a beginning, then a byte a second until the server has had enough: how long that
// took, and the answer.
func (s *story) slowly(beginning string, limit time.Duration) (took time.Duration, answer string, err error) {
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.g.Port("https")),
		&tls.Config{ServerName: "app.test", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	start := time.Now()
	if _, err := io.WriteString(conn, beginning); err != nil {
		return 0, "", err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = conn.SetReadDeadline(start.Add(limit))
		raw, _ := io.ReadAll(bufio.NewReader(conn))
		answer = string(raw)
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return time.Since(start), answer, nil
		case <-tick.C:
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = conn.Write([]byte("x"))
		}
	}
}

// HD-11 slow senders are cut, at the login form, at the API, at a form that a protected app would get, and while they
// still send headers; meanwhile a hundred of them cost other clients nothing.
func TestSlowSendersAreCutAndCostNoWorker(t *testing.T) {
	s := slowSites.open(t)
	person := s.browser("app.test")
	person.signIn("pia", piaPassword).want(200)
	const limit = 25 * time.Second
	beginnings := map[string]string{
		"login form": "POST /.truxe/login HTTP/1.1\r\nHost: app.test\r\nOrigin: https://app.test\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 500000\r\n\r\nusername=",
		"API":        "POST /.truxe/api/v1/login HTTP/1.1\r\nHost: app.test\r\nContent-Type: application/json\r\nContent-Length: 500000\r\n\r\n{\"username\":\"",
		"chunks":     "POST /.truxe/api/v1/login HTTP/1.1\r\nHost: app.test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n7A120\r\n{",
		"app's form": "POST /orders HTTP/1.1\r\nHost: app.test\r\nOrigin: https://app.test\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 500000\r\n\r\na=",
		"headers":    "GET / HTTP/1.1\r\nHost: app.test\r\nX-Slow: ",
	}
	var wg sync.WaitGroup
	for name, beginning := range beginnings {
		for i := range 20 {
			wg.Go(func() {
				took, answer, err := s.slowly(beginning, timebound.Limit(limit))
				if err != nil || took >= timebound.Limit(limit) {
					t.Errorf("%s: still open after %v: %v", name, took, err)
				}
				if i == 0 {
					t.Logf("%s: cut after %v with %q", name, took.Round(100*time.Millisecond), strings.SplitN(answer, "\r\n", 2)[0])
				}
				if strings.Contains(answer, "HTTP/1.1 200") || strings.Contains(answer, "HTTP/1.1 5") {
					t.Errorf("%s: %.200s", name, answer)
				}
			})
		}
	}
	time.Sleep(2 * time.Second)
	for range 20 {
		start := time.Now()
		person.get("/x", program).want(200)
		timebound.Check(t, "a request beside the slow senders", time.Since(start), 2*time.Second)
	}
	if _, err := s.browser("app.test").try(http.MethodGet, "/.truxe/login", "", navigate); err != nil {
		t.Errorf("the login page beside the slow senders: %v", err)
	}
	wg.Wait()
}

// HD-11 headers beyond the server's limit are refused before anything of ours reads them.
func TestHugeHeadersAreRefused(t *testing.T) {
	s := slowSites.open(t)
	conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(s.g.Port("https"))),
		&tls.Config{ServerName: "app.test", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.test\r\nCookie: __Host-truxe="+strings.Repeat("a",
			3<<20)+"\r\n\r\n")
	}()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, " 431 ") {
		t.Errorf("%q %v", line, err)
	}
}
