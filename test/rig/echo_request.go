package rig

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"
)

// Field is one header or trailer line as it came: name in the sender's case, value without the white space around it.
type Field struct{ Name, Value string }

// Seen is one request as the upstream received it.
type Seen struct {
	Method   string
	Target   string // the raw request target
	Proto    string
	Header   []Field // in order, with duplicates
	Trailer  []Field
	Body     string
	Framing  string // how the body ended: "none", "length" or "chunked"
	Raw      string // the header block's bytes, from the request line to the empty line
	Conn     int    // which connection, counted from 1
	Problem  string `json:",omitempty"` // why the request could not be read whole; the connection is then closed
	Received time.Time
}

// Get returns all values of a header, compared without case.
func (s Seen) Get(name string) []string {
	var values []string
	for _, f := range s.Header {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// readRequest reads one request; Seen.Raw is empty when the connection ended before it.
func readRequest(br *bufio.Reader, w io.Writer) (Seen, error) {
	var s Seen
	s.Framing = "none"
	var raw bytes.Buffer
	lines, err := readLines(br, &raw)
	s.Raw = raw.String()
	if err != nil {
		return s, err
	}
	parts := strings.SplitN(lines[0], " ", 2)
	if cut := strings.LastIndexByte(lines[0], ' '); len(parts) < 2 || cut <= len(parts[0]) {
		return s, fmt.Errorf("request line %q", lines[0])
	} else {
		s.Method, s.Target, s.Proto = parts[0], lines[0][len(parts[0])+1:cut], lines[0][cut+1:]
	}
	s.Header = fields(lines[1:])
	length := s.Get("Content-Length")
	switch {
	case len(s.Get("Transfer-Encoding")) > 0:
		s.Framing = "chunked"
	case len(length) > 0:
		s.Framing = "length"
	}
	if s.Framing != "none" && len(s.Get("Expect")) > 0 {
		_, _ = io.WriteString(w, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	switch s.Framing {
	case "length":
		n, err := strconv.Atoi(length[0])
		if err != nil || n < 0 {
			return s, fmt.Errorf("content length %q", length[0])
		}
		b := make([]byte, n)
		n, err = io.ReadFull(br, b)
		s.Body = string(b[:n])
		return s, err
	case "chunked":
		b, err := io.ReadAll(httputil.NewChunkedReader(br))
		s.Body = string(b)
		if err != nil {
			return s, err
		}
		trailer, err := readLines(br, io.Discard)
		s.Trailer = fields(trailer)
		return s, err
	}
	return s, nil
}

// readLines reads up to and including the empty line; each line without its end.
func readLines(br *bufio.Reader, raw io.Writer) ([]string, error) {
	var lines []string
	for size := 0; size < 1<<20; {
		line, err := br.ReadString('\n')
		_, _ = io.WriteString(raw, line)
		size += len(line)
		if err != nil {
			return lines, err
		}
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if line == "" {
			if len(lines) == 0 && raw != io.Discard {
				return nil, errors.New("empty request line")
			}
			return lines, nil
		}
		lines = append(lines, line)
	}
	return lines, errors.New("header block over 1 MiB")
}

func fields(lines []string) []Field {
	out := []Field{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		out = append(out, Field{name, strings.TrimSpace(value)})
	}
	return out
}
