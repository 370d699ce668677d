package store_test

import (
	"os"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/internal/store/storetest/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// SE-15, PW-13, R5, F10, F26: both databases keep the same promises.
func TestStoreKeepsItsPromises(t *testing.T) {
	for _, driver := range []string{"sqlite", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) *store.Store { return storetest.Open(t, storetest.Fresh(t, driver)) })
		})
	}
}
