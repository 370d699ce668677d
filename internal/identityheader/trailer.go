package identityheader

import (
	"io"
	"net/http"
	"sync"
)

// GuardTrailers keeps our names out of the request's trailers, which reverse_proxy forwards and which no header rule
// sees. Announced names go at once. What arrives is known when the body ends: HTTP/1 merges undeclared trailers once
// one is declared (net/http transfer.go mergeSetHeader), HTTP/2 fills in the announced ones only
// (copyTrailersToHandlerRequest), for HTTP/3 nothing is promised. So a body is wrapped when it is chunked, when
// anything is announced, and on HTTP/3; plain bodies, and requests without one, cost nothing.
func (o *Owned) GuardTrailers(r *http.Request) {
	announced := r.Trailer != nil
	o.Strip(r.Trailer)
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength >= 0 && !announced && r.ProtoMajor < 3 {
		return
	}
	r.Body = &guardedBody{ReadCloser: r.Body, owned: o, request: r}
}

// guardedBody strips the trailers when the body has ended, before its reader learns of it: once, since a transport may
// still read while the gate drains the body, and both would write one map. It strips on no other error and not in
// Close: a transport may close while it reads, and net/http then drains and writes the map.
type guardedBody struct {
	io.ReadCloser
	owned   *Owned
	request *http.Request
	ended   sync.Once
}

func (b *guardedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended.Do(func() { b.owned.Strip(b.request.Trailer) })
	}
	return n, err
}
