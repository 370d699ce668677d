package cluster_test

import (
	"os"
	"testing"

	"github.com/truxeio/caddy-truxe/test/program"
)

func TestMain(m *testing.M) {
	program.ExitWithParent()
	os.Exit(m.Run())
}
