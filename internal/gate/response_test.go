package gate

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// spy is a server's writer that has every talent and notes which was asked for.
type spy struct {
	*httptest.ResponseRecorder
	asked    []string
	statuses []int
}

func (s *spy) WriteHeader(status int) {
	s.statuses = append(s.statuses, status)
	if status >= 200 {
		s.ResponseRecorder.WriteHeader(status)
	}
}
func (s *spy) note(what string) error { s.asked = append(s.asked, what); return nil }
func (s *spy) FlushError() error      { return s.note("flush") }
func (s *spy) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, s.note("hijack")
}
func (s *spy) Push(string, *http.PushOptions) error { return s.note("push") }
func (s *spy) SetReadDeadline(time.Time) error      { return s.note("deadline") }
func (s *spy) EnableFullDuplex() error              { return s.note("duplex") }
func (s *spy) ReadFrom(r io.Reader) (int64, error) {
	_ = s.note("readfrom")
	return io.Copy(struct{ io.Writer }{s.ResponseRecorder}, r)
}

func spied() (*spy, *response) {
	s := &spy{ResponseRecorder: httptest.NewRecorder()}
	w := &response{ResponseWriter: s}
	w.Header().Add("Set-Cookie", "__Host-truxe=planted")
	w.Header().Add("Set-Cookie", "sid=1")
	return s, w
}

// ED-31 whichever way an answer begins, its header is completed first; everything that the server's writer can do can
// still be done.
func TestAnswerIsCompletedHoweverItBegins(t *testing.T) {
	for name, begin := range map[string]func(w *response) error{
		"header": func(w *response) error { w.WriteHeader(404); return nil },
		"hints":  func(w *response) error { w.WriteHeader(103); return nil },
		"switch": func(w *response) error { w.WriteHeader(101); return nil },
		"write":  func(w *response) error { _, err := w.Write([]byte("x")); return err },
		"copy":   func(w *response) error { _, err := io.Copy(w, io.LimitReader(strings.NewReader("x"), 1)); return err },
		"flush":  func(w *response) error { return http.NewResponseController(w).Flush() },
		"flush by the older name": func(w *response) error {
			w.Flush()
			return nil
		},
		"nothing": func(w *response) error { w.settle(); return nil },
	} {
		_, w := spied()
		if err := begin(w); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := w.Header()["Set-Cookie"]; !slices.Equal(got, []string{"sid=1"}) {
			t.Errorf("%s: Set-Cookie %q", name, got)
		}
	}
	s, w := spied()
	rc := http.NewResponseController(w)
	_, _, hijacked := rc.Hijack()
	_, copied := io.Copy(w, io.LimitReader(strings.NewReader("body"), 4))
	if err := errors.Join(hijacked, copied, rc.Flush(), w.Push("/x", nil), rc.SetReadDeadline(time.Now()),
		rc.EnableFullDuplex()); err != nil {
		t.Error(err)
	}
	if want := []string{"hijack", "readfrom", "flush", "push", "deadline", "duplex"}; !slices.Equal(s.asked, want) {
		t.Errorf("the server was asked for %v, want %v", s.asked, want)
	}
}

// What the server's writer cannot do is said as usual, and the body still arrives.
func TestAnswerWithoutTalents(t *testing.T) {
	rec := httptest.NewRecorder()
	w := &response{ResponseWriter: struct{ http.ResponseWriter }{rec}}
	if _, _, err := w.Hijack(); !errors.Is(err, http.ErrNotSupported) || w.begun {
		t.Errorf("hijack: %v, begun %v", err, w.begun)
	}
	if err := w.Push("/x", nil); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("push: %v", err)
	}
	if n, err := w.ReadFrom(strings.NewReader("body")); n != 4 || err != nil || rec.Body.String() != "body" {
		t.Errorf("copy: %d %v %q", n, err, rec.Body)
	}
}

// Informational answers are not the final one: what follows them is completed as well, and once.
func TestEarlyHintsDoNotEndTheHeader(t *testing.T) {
	s, w := spied()
	w.forget, w.harden = true, true
	w.WriteHeader(http.StatusEarlyHints)
	if h := w.Header(); len(h["Set-Cookie"]) != 1 || h.Get("X-Frame-Options") != "" {
		t.Errorf("hints carry %v", h)
	}
	w.Header().Add("Set-Cookie", "__Host-truxe-flow=planted")
	w.WriteHeader(http.StatusOK)
	w.settle()
	if h := w.Header(); len(h["Set-Cookie"]) != 2 || !strings.HasPrefix(h["Set-Cookie"][1], "__Host-truxe=; ") ||
		h.Get("X-Frame-Options") == "" {
		t.Errorf("the answer carries %v", h)
	}
	if !slices.Equal(s.statuses, []int{103, 200}) {
		t.Errorf("statuses %v", s.statuses)
	}
}

// Header values of one answer are not those of another: handlers edit them in place.
func TestSecurityHeadersAreNotShared(t *testing.T) {
	one, other := http.Header{}, http.Header{}
	addSecurityHeaders(one, true)
	one["Referrer-Policy"][0] = "edited"
	one["X-Frame-Options"] = append(one["X-Frame-Options"], "more")
	addSecurityHeaders(other, true)
	if other.Get("Referrer-Policy") != referrerPolicy || len(other) != 5 ||
		one.Get("Strict-Transport-Security") != twoYearsHTTPS || one.Get("Content-Security-Policy") != frameAncestors {
		t.Errorf("%v after %v", other, one)
	}
}
