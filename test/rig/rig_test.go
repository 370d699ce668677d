package rig_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/coder/websocket"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/truxeio/caddy-truxe/test/rig"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }

func TestRedisForgetsOnRestartAndHangsWhenFrozen(t *testing.T) {
	r := rig.Redis(t)
	c := r.Client()
	ctx := context.Background()
	if err := c.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := r.Do("GET", "k"); got != "v" {
		t.Fatalf("GET k = %q", got)
	}
	r.Freeze()
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := c.Get(short, "k").Err(); err == nil {
		t.Fatal("a frozen server answered")
	}
	r.Thaw()
	r.Restart()
	if got := r.Do("EXISTS", "k"); got != "0" {
		t.Fatalf("after a restart without persistence EXISTS k = %q", got)
	}
	r.Kill()
	if err := c.Ping(ctx).Err(); err == nil {
		t.Fatal("a killed server answered")
	}
}

func TestRedisKeepsAppendOnlyFileOverRestart(t *testing.T) {
	r := rig.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	r.Do("SET", "k", "v")
	r.Kill()
	r.Start()
	if got := r.Do("GET", "k"); got != "v" {
		t.Fatalf("GET k = %q", got)
	}
}

func TestPostgresDatabasesAreApartAndSurviveACrash(t *testing.T) {
	open := func(dsn string) *sql.DB {
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	shared := rig.Postgres(t)
	a, b := open(shared.Database(t)), open(shared.Database(t))
	for _, db := range []*sql.DB{a, b} { // the same table in both: they are two databases
		if _, err := db.Exec("CREATE TABLE t (n int)"); err != nil {
			t.Fatal(err)
		}
	}
	own := rig.OwnPostgres(t)
	dsn := own.Database(t)
	if _, err := open(dsn).Exec("CREATE TABLE t (n int)"); err != nil {
		t.Fatal(err)
	}
	own.Stop()
	if open(dsn).Ping() == nil {
		t.Fatal("a stopped server answered")
	}
	own.Start(t)
	if _, err := open(dsn).Exec("INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
}

const plainSite = `
app.example.com {
	reverse_proxy ` + "%s" + ` {
		stream_close_delay 5s
	}
}
`

func TestGatewayServesNamesOverHTTP1And2(t *testing.T) {
	echo := rig.Echo(t)
	g := rig.Gateway(t, rig.Options{Caddyfile: fmt.Sprintf(plainSite, echo.Addr())})
	for proto, client := range map[string]*http.Client{"HTTP/1.1": g.Client(), "HTTP/2.0": g.ClientH2()} {
		res, err := client.Get("https://app.example.com/a/../b?x=%2f")
		if err != nil {
			t.Fatalf("%s: %v", proto, err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 200 || res.Proto != proto {
			t.Errorf("%d over %s, want 200 over %s", res.StatusCode, res.Proto, proto)
		}
		if got := echo.Last().Target; got != "/a/../b?x=%2f" {
			t.Errorf("the upstream got %q", got)
		}
	}
	res, err := g.Client().Get("http://app.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusPermanentRedirect {
		t.Errorf("plain http answers %d, want Caddy's redirect", res.StatusCode)
	}
}

func TestGatewayReloadKillRestart(t *testing.T) {
	const page = `localhost {
		respond {$WORD}
	}
	http://127.0.0.1:{{port "plain"}} {
		respond plain
	}`
	g := rig.Gateway(t, rig.Options{Caddyfile: page, Env: []string{"WORD=first"}})
	body := func() string {
		res, err := g.Client().Get(g.URL("/"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return string(b)
	}
	if got := body(); got != "first" {
		t.Fatalf("body %q", got)
	}
	if err := g.Reload(strings.Replace(page, "{$WORD}", "second", 1)); err != nil {
		t.Fatal(err)
	}
	if got := body(); got != "second" {
		t.Fatalf("after the reload: body %q", got)
	}
	if err := g.Reload("localhost {\n\tno_such_directive\n}"); err == nil ||
		!strings.Contains(err.Error(), "no_such_directive") {
		t.Fatalf("a wrong Caddyfile: %v", err)
	}
	if got := body(); got != "second" {
		t.Fatalf("after the refused reload: body %q", got)
	}
	pid := g.PID()
	g.Kill9()
	if g.Running() {
		t.Fatal("runs after kill -9")
	}
	if err := os.WriteFile(g.Dir+"/Caddyfile", []byte("{\n\thttp_port "+fmt.Sprint(g.Port("http"))+"\n\thttps_port "+
		fmt.Sprint(g.Port("https"))+
		"\n\tlocal_certs\n\tskip_install_trust\n}\nlocalhost {\n\trespond third\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.Start()
	if got := body(); got != "third" || g.PID() == pid {
		t.Fatalf("after the restart: body %q, process %d was %d", got, g.PID(), pid)
	}
	g.WaitLog(`serving initial (configuration)`)
	if status, _ := g.Admin(http.MethodGet, "/config/apps/http", nil); status != 200 {
		t.Fatalf("admin endpoint answers %d", status)
	}
	g.Signal(syscall.SIGTERM)
	if code := g.WaitExit(10 * time.Second); code != 0 {
		t.Fatalf("exit code %d after SIGTERM", code)
	}
}

func TestGatewayRefusesWrongConfigurationWithoutWaiting(t *testing.T) {
	g := rig.Gateway(t, rig.Options{Caddyfile: "localhost {\n\tno_such_directive\n}", NoWait: true})
	if code := g.WaitExit(20 * time.Second); code == 0 {
		t.Fatal("exit code 0")
	}
	g.WaitLog("no_such_directive")
}

func TestUnknownCommandIsAUsageError(t *testing.T) {
	g := rig.Gateway(t, rig.Options{Caddyfile: "localhost {\n\trespond ok\n}"})
	_, stderr, code := g.CLI("no-such-command")
	if code == 0 || stderr == "" {
		t.Fatalf("exit code %d, stderr %q", code, stderr)
	}
}

func TestEchoRecordsWhatNetHTTPWouldFold(t *testing.T) {
	echo := rig.Echo(t)
	conn := dial(t, echo.Addr())
	fmt.Fprintf(conn,
		"POST /x;y HTTP/1.1\r\nHost: h\r\nX-b: 1\r\nx-B:  2 \r\nA_b: 3\r\nTransfer-Encoding: chunked\r\n\r\n"+
			"3\r\nabc\r\n0\r\nRemote-User: root\r\n\r\nGET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	rig.WaitFor(t, 5*time.Second, "two requests", func() bool { return len(echo.Seen()) == 2 })
	s := echo.Seen()[0]
	if s.Method != "POST" || s.Target != "/x;y" || s.Body != "abc" || s.Framing != "chunked" {
		t.Errorf("%+v", s)
	}
	want := []rig.Field{{"Host", "h"}, {"X-b", "1"}, {"x-B", "2"}, {"A_b", "3"}, {"Transfer-Encoding", "chunked"}}
	if !slices.Equal(s.Header, want) {
		t.Errorf("header %v, want %v", s.Header, want)
	}
	if !slices.Equal(s.Trailer, []rig.Field{{"Remote-User", "root"}}) {
		t.Errorf("trailer %v", s.Trailer)
	}
	if !strings.Contains(s.Raw, "x-B:  2 \r\n") {
		t.Errorf("raw block %q", s.Raw)
	}
	if second := echo.Last(); second.Target != "/second" || second.Conn != s.Conn {
		t.Errorf("second request %+v", second)
	}
}

func TestStreamsPassThroughTheGateway(t *testing.T) {
	echo := rig.Echo(t)
	g := rig.Gateway(t, rig.Options{Caddyfile: fmt.Sprintf(plainSite, echo.Addr())})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	// A client with a timeout would cut the stream; the jar and trust are what a test wants.
	client := g.Client()
	client.Timeout = 0
	ws, _, err := websocket.Dial(ctx, "wss://app.example.com/ws", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, msg, err := ws.Read(ctx); err != nil || string(msg) != "hello" {
		t.Fatalf("%q, %v", msg, err)
	}
	req, _ := http.NewRequestWithContext(ctx, "GET", "https://app.example.com/sse", nil)
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	buf := make([]byte, 9)
	if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != "data: 1\n\n" {
		t.Fatalf("%q, %v", buf, err)
	}
	if n := echo.Streams(); n != 2 {
		t.Fatalf("%d streams open, want 2", n)
	}
	_ = ws.CloseNow()
	_ = res.Body.Close()
	rig.WaitFor(t, 10*time.Second, "the streams end", func() bool { return echo.Streams() == 0 })
}

func TestProxyDelaysFreezesDropsAndHeals(t *testing.T) {
	echo := rig.Echo(t)
	p := rig.Proxy(t, echo.Addr())
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	get := func() (time.Duration, error) {
		begin := time.Now()
		res, err := client.Get("http://" + p.Addr())
		if err == nil {
			_ = res.Body.Close()
		}
		return time.Since(begin), err
	}
	if _, err := get(); err != nil {
		t.Fatalf("through a good line: %v", err)
	}
	p.Delay(100 * time.Millisecond)
	if d, err := get(); err != nil || d < 200*time.Millisecond {
		t.Errorf("delayed both ways: %v, %v", d, err)
	}
	p.Freeze()
	if _, err := get(); err == nil {
		t.Error("a frozen line answered")
	}
	p.Heal()
	p.Drop()
	if d, err := get(); err == nil || d > timebound.Limit(500*time.Millisecond) {
		t.Errorf("a dropped line: %v, %v", d, err)
	}
	p.Heal()
	if _, err := get(); err != nil {
		t.Errorf("after Heal: %v", err)
	}
}

// QR codes of pquerna/otp's encoder at every size we read; the reader knows nothing of it.
func TestQRCodesAreRead(t *testing.T) {
	for _, level := range []qr.ErrorCorrectionLevel{qr.L, qr.M, qr.Q, qr.H} {
		for n := 1; n < 110; n += 7 {
			want := "otpauth:" + strings.Repeat("aZ/%7&", n)[:n]
			code, err := qr.Encode(want, level, qr.Unicode)
			if err != nil {
				t.Fatal(err)
			}
			size := code.Bounds().Dx()
			dark := make([][]bool, size)
			for y := range dark {
				for x := range size {
					r, _, _, _ := code.At(x, y).RGBA()
					dark[y] = append(dark[y], r == 0)
				}
			}
			if got, err := rig.ReadQR(dark); err != nil || got != want {
				t.Fatalf("level %v, %d bytes, %d modules: %q, %v", level, n+8, size, got, err)
			}
			dark[size-1][size-1] = !dark[size-1][size-1] // the first bit of data
			if got, err := rig.ReadQR(dark); err == nil && got == want {
				t.Fatal("control: a broken code reads the same")
			}
		}
	}
	if _, err := rig.ReadQR(make([][]bool, 20)); err == nil {
		t.Error("a picture of another size is read")
	}
}
