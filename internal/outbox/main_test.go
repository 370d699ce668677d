package outbox

import (
	"os"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/store/storetest/pgtest"
)

// TestMain ends the PostgreSQL server that the tests used.
func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
