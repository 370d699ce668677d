package signin

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// R5: an attacker with a stolen session and the password cannot overwrite a change of the password that was made while
// theirs was being checked: the password that they have proven is gone.
func TestOfRacingPasswordChangesOneWins(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		u := n.make("ada")
		n.clock.Move(time.Minute)
		var browsers []*browser
		for range 4 {
			b := n.browser(u)
			must2(b.password(password))(t)
			browsers = append(browsers, b)
		}
		won := race(len(browsers), func(i int) bool {
			b := browsers[i]
			_, err := n.Passwords.Change(context.Background(), b.by(), b.address, password,
				"another long enough sentence "+strconv.Itoa(i), true)
			if err != nil && identity.CodeOf(err) != identity.CodeInvalidCredentials {
				t.Errorf("%d: %v", i, err)
			}
			return err == nil
		})
		if won != 1 {
			t.Errorf("%d changes of one password", won)
		}
	})
}
