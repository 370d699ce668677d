package web

import (
	"context"
	"net/http"
	"time"
)

// Every request body of pages and API is bounded in size, and in the time from the end of its headers (HD-11).
const (
	maxBody  = 1 << 20
	bodyTime = 10 * time.Second
)

// Exchange is a request and its answer, whoever sent it.
type Exchange struct {
	W http.ResponseWriter
	R *http.Request
}

// BoundBody bounds what is read of a request in size and in time, however slowly it comes (HD-11). A writer that knows
// no deadlines is one of a test.
func (x *Exchange) BoundBody() {
	x.R.Body = http.MaxBytesReader(x.W, x.R.Body, maxBody)
	if x.R.ContentLength != 0 {
		_ = http.NewResponseController(x.W).SetReadDeadline(time.Now().Add(bodyTime))
	}
}

// Context returns the context of the request.
func (x *Exchange) Context() context.Context { return x.R.Context() }

// Reads reports whether the request is one that changes nothing.
func (x *Exchange) Reads() bool { return x.R.Method == http.MethodGet || x.R.Method == http.MethodHead }
