package program

import (
	"os"
	"time"
)

// ExitWithParent ends this process and its children within a second of the end of its parent. `go test` starts test
// processes and does not take them along when it is killed. Call it from TestMain.
func ExitWithParent() {
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(500 * time.Millisecond)
		}
		endAll()
		os.Exit(1)
	}()
}
