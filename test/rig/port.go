package rig

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Ports are given from lowestPort to below highestPort, in ranges of which each test process has one for itself.
// They lie below those from which the system picks ports for outgoing connections, so a port that was given stays free
// until its server binds it.
const (
	lowestPort  = 10240
	highestPort = 32000
	portRanges  = 16
	portsEach   = (highestPort - lowestPort) / portRanges
)

// ports given out by this process, so that two of its servers never race for one.
var ports struct {
	sync.Mutex
	given map[int]bool
	// first port of this process's range. Its lock file is open, and so locked, until the process ends.
	first int
	lock  *os.File
}

// Port finds a loopback port that is free for TCP and UDP (Caddy takes both for HTTP/3), and that no other process with
// a rig is given.
func Port(t testing.TB) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		if err := lockPorts(); err != nil {
			t.Fatalf("take a range of ports: %v", err)
		}
		ports.given = map[int]bool{}
	}
	if len(ports.given) > portsEach/2 {
		clear(ports.given) // the servers of most of them have ended; those of the others are seen by portFree
	}
	for range 400 {
		port := ports.first + rand.IntN(portsEach)
		if ports.given[port] || !portFree(port) {
			continue
		}
		ports.given[port] = true
		return port
	}
	t.Fatalf("no free port found on loopback from %d on", ports.first)
	return 0
}

// lockPorts takes a range of ports that no other process has.
func lockPorts() error {
	for i := range portRanges {
		name := filepath.Join(os.TempDir(), fmt.Sprintf("truxe-test-ports-%d-%d.lock", os.Getuid(), i))
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			ports.first, ports.lock = lowestPort+i*portsEach, f
			return nil
		}
		f.Close()
	}
	return fmt.Errorf("%d other test processes hold all of them", portRanges)
}

func portFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return false
	}
	defer l.Close()
	p, err := net.ListenPacket("udp", fmt.Sprintf(":%d", port))
	if err != nil {
		return false
	}
	return p.Close() == nil
}
