package test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ED-31, FIELD-CASES 36: what passes the gate's hands on the way back is what the app sent: HEAD, ranges, 304,
// trailers, a body after 100 Continue, and files by sendfile.
func TestAnswersArriveAsTheAppSentThem(t *testing.T) {
	file := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB
	app := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/trailers":
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "body")
			w.Header().Set("X-Sum", "42")
		case "/upload":
			n, _ := io.Copy(io.Discard, r.Body)
			_, _ = fmt.Fprint(w, n)
		default:
			w.Header().Set("Etag", `"v1"`)
			http.ServeContent(w, r, "file.bin", time.Time{}, bytes.NewReader(file))
		}
	})
	s := tell(t, plot{sites: site("app.test",
		"\ttruxe {\n\t\tpublic /*\n\t\tsecurity_headers on\n\t}\n\thandle_path /files/* {\n\t\troot {{dir}}\n\t\tfile_server\n\t}\n\treverse_proxy "+app)})
	if err := os.WriteFile(filepath.Join(s.g.Dir, "page.txt"), []byte("page"), 0o600); err != nil {
		t.Fatal(err)
	}
	for protocol, c := range map[string]*http.Client{"HTTP/1.1": s.g.Client(), "HTTP/2": s.g.ClientH2()} {
		v := &visitor{s: s, c: c, host: "app.test"}
		whole := v.get("/file", program).want(200)
		if whole.body != string(file) || whole.header.Get("Etag") != `"v1"` {
			t.Errorf("%s: %d bytes of %d, Etag %q", protocol, len(whole.body), len(file), whole.header.Get("Etag"))
		}
		if a := v.do(http.MethodHead, "/file", "", program).want(200); a.body != "" ||
			a.header.Get("Content-Length") != fmt.Sprint(len(file)) {
			t.Errorf("%s: HEAD has %d bytes and length %q", protocol, len(a.body), a.header.Get("Content-Length"))
		}
		if a := v.get("/file", program, []string{"Range", "bytes=16-19"}).want(206); a.body != "0123" ||
			a.header.Get("Content-Range") != fmt.Sprintf("bytes 16-19/%d", len(file)) {
			t.Errorf("%s: a range is %q of %q", protocol, a.body, a.header.Get("Content-Range"))
		}
		if a := v.get("/file", program, []string{"If-None-Match", `"v1"`}).want(304); a.body != "" ||
			a.header.Get("Etag") != `"v1"` {
			t.Errorf("%s: a 304 has %d bytes, Etag %q", protocol, len(a.body), a.header.Get("Etag"))
		}
		if a := v.get("/files/page.txt", program, []string{"Range", "bytes=0-0"}).want(206); len(a.body) != 1 ||
			a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: a file: %q, %v", protocol, a.body, a.header)
		}
		req, _ := http.NewRequest(http.MethodGet, "https://app.test/trailers", nil)
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(body) != "body" || res.Trailer.Get("X-Sum") != "42" {
			t.Errorf("%s: body %q, trailers %v", protocol, body, res.Trailer)
		}
	}
	conn := s.g.RawTLS("app.test")
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn,
		"POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
	in := bufio.NewReader(conn)
	if first, err := in.ReadString('\n'); err != nil || first != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("after Expect came %q, %v", first, err)
	}
	_, _ = io.WriteString(conn, "hello")
	if rest, _ := io.ReadAll(in); !strings.Contains(string(rest), "HTTP/1.1 200 OK\r\n") ||
		!strings.HasSuffix(string(rest), "5") {
		t.Errorf("after the body came %q", rest)
	}
}

// FIELD-CASES 36: a gRPC call in both directions at once: the answer's header and parts arrive while the request is
// still being sent, and its trailers at the end.
func TestGRPCLikeStreamsPassInBothDirections(t *testing.T) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := &http.Server{Protocols: &protocols, ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status")
			w.Header().Add("Set-Cookie", plantedCookies[0])
			_ = rc.Flush()
			buf := make([]byte, 64)
			for {
				n, err := r.Body.Read(buf)
				_, _ = w.Write(bytes.ToUpper(buf[:n]))
				_ = rc.Flush()
				if err != nil {
					break
				}
			}
			w.Header().Set("Grpc-Status", "0")
		})}
	go func() { _ = up.Serve(l) }()
	t.Cleanup(func() { _ = up.Close() })
	s := tell(t, plot{sites: site("app.test", "\ttruxe {\n\t\tallow role member\n\t}\n\treverse_proxy h2c://"+
		l.Addr().String())})
	body, send := io.Pipe()
	req := httptest.NewRequest(http.MethodPost, "https://app.test/grpc.Service/Call", body)
	req.RequestURI = ""
	req.ContentLength = -1
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	req.Header.Set("Authorization", "Bearer "+s.login("app.test", "pia", piaPassword).Access)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.g.Roots()}, ForceAttemptHTTP2: true,
		DialContext: s.g.Dial}
	t.Cleanup(tr.CloseIdleConnections)
	time.AfterFunc(20*time.Second, func() { _ = send.CloseWithError(io.ErrUnexpectedEOF) })
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 || len(res.Header["Set-Cookie"]) > 0 {
		t.Errorf("%s with %v", res.Proto, res.Header)
	}
	for _, part := range []string{"one", "two"} {
		if _, err := io.WriteString(send, part); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(part))
		if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != strings.ToUpper(part) {
			t.Fatalf("sent %q, got %q, %v", part, got, err)
		}
	}
	_ = send.Close()
	if _, err := io.ReadAll(res.Body); err != nil || res.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("the end: %v, trailers %v", err, res.Trailer)
	}
}
