package web

import (
	"net/http"
	"slices"
	"strings"
)

// Handler answers one call. An error that it returns is answered by [Call.Fail].
type Handler func(c *Call) error

// Methods are the handlers of one URL by HTTP method. The one of GET answers HEAD too.
type Methods map[string]Handler

// Route is one URL of the portal and who may call it.
type Route struct {
	Methods Methods
	Signed  bool // needs a signed-in caller
	// Needs is a permission that a signed-in caller must hold; "": none.
	Needs   string
	Open    bool // asks nothing of the caller and works while the state is unreadable
	Portal  bool // a page that lives on the single sign-on host, where there is one
	Caller  bool // says who the caller is, if anyone: a credential that does not verify is refused
	Passive bool // reads what a page may ask for by itself: no use of the session (SE-10)
	// Finally runs after every call, also after one that a guard has refused; nil: nothing does.
	Finally func(c *Call)
}

// Handler returns the handler of a method.
func (rt Route) Handler(method string) (Handler, bool) {
	h, ok := rt.Methods[method]
	if !ok && method == http.MethodHead {
		h, ok = rt.Methods[http.MethodGet]
	}
	return h, ok
}

// Allow returns the Allow field of a 405 (RFC 9110 15.5.6).
func (rt Route) Allow() string {
	var list []string
	for m := range rt.Methods {
		list = append(list, m)
		if m == http.MethodGet {
			list = append(list, http.MethodHead)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
