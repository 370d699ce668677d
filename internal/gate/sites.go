package gate

import (
	"strconv"
	"sync"

	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// Sites compiles the sites of one configuration, and has what they share.
type Sites struct {
	rules *rules.Book
	owned *identityheader.Owned // the header names of all sites

	mu      sync.Mutex
	limited map[string]int // how many sites with a rate limit are alike, by name
}

// NewSites returns no sites yet; their rules will be in the book.
func NewSites(book *rules.Book) *Sites {
	return &Sites{rules: book, owned: identityheader.NewOwned(), limited: map[string]int{}}
}

// headers compiles what one site's app gets. The names that it sets are removed from the requests of every site: one
// app may be reached through several directives (HD-01).
func (all *Sites) headers(c identityheader.Config) (*identityheader.Set, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	return identityheader.Compile(c, all.owned)
}

// limitName returns the name of a site's rate limit: the same in the next configuration for the same lines on the same
// listener, whose sites are compiled in the order of the configuration. Sites that are alike there are numbered.
func (all *Sites) limitName(c SiteConfig, listener string) string {
	all.mu.Lock()
	defer all.mu.Unlock()
	name := c.Rules.Name() + " " + c.AppName + " " + listener
	all.limited[name]++
	return name + " " + strconv.Itoa(all.limited[name])
}
