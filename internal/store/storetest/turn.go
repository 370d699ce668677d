package storetest

import (
	"errors"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// maxTurns is how often a racer asks for its turn: on a busy machine fifty that take a lock one after another need more
// than the second that a caller waits.
const maxTurns = 20

// InTurn calls do until it has had its turn. Who got no connection has begun nothing, and who waited too long for a
// lock has changed nothing: both come again. Every other error is returned, above all that of a commit, whose outcome
// is unknown.
func InTurn(do func() error) error {
	for tries := 1; ; tries++ {
		err := do()
		waited := errors.Is(err, store.ErrUnavailable) && strings.HasPrefix(err.Error(), "lock ")
		if tries == maxTurns || !waited && !errors.Is(err, store.ErrNoTurn) {
			return err
		}
	}
}
