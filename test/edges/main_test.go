// Package edges tests the places where the gateway has to believe something about the world outside: which host it was
// asked as, how a path is spelled, which headers are its own, and how much strangers can make it remember.
//
// The property test draws configurations and requests and compares what a raw upstream received with a model. The model
// is written from the contract and the pages of docs/. It imports nothing of the gateway, so that a mistake of the
// gateway is not in it as well.
package edges

import (
	"os"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }
