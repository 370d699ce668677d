package rig

import (
	"bytes"
	"regexp"
	"sync"
	"time"
)

// logBuffer collects a process's output, whole.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// wait polls until the output matches and gives the match with its groups.
func (l *logBuffer) wait(re *regexp.Regexp, limit time.Duration) ([]string, bool) {
	var m []string
	ok := poll(limit, func() bool {
		m = re.FindStringSubmatch(l.String())
		return m != nil
	})
	return m, ok
}

// tail is the last n bytes, for messages of failing tests.
func (l *logBuffer) tail(n int) string {
	s := l.String()
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
